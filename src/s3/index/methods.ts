// The methods of the S3 index, run by the primary of the PG beside the rows. Pure: rows, argument and
// context in, effects and result out. Calls on a PG run one at a time, so what a method reads is what its effects
// replace: conditions are decided here and nowhere else.
//
// Invariants kept here:
// - nothing is written to a shard without an open state row (a removed bucket stays removed);
// - a shard answers for the keys of its range alone (`shard.ts`, `split-methods.ts`);
// - versions of a key are ordered by the calls that put them (`key-versions.ts`), never by time;
// - a blob is listed as garbage in the same call that takes its last reference away, or refuses it;
// - an event is queued in the call that makes what it tells (`event-methods.ts`);
// - no blob of a cancelled writer is committed (rule 28 of the protocol), also not in a bucket made later.

import type { Methods } from '../../base/method.ts';
import * as events from './event-methods.ts';
import * as keys from './key-methods.ts';
import * as listings from './listing-methods.ts';
import { reclaiming } from './method.ts';
import * as registry from './registry-methods.ts';
import * as splits from './split-methods.ts';
import * as trash from './trash-methods.ts';
import * as upkeep from './upkeep-methods.ts';
import * as uploads from './upload-methods.ts';

export const s3Methods: Methods = new Map([
  keys.putEntryMethod,
  keys.getEntryMethod,
  keys.deleteEntriesMethod,
  keys.updateEntryMethod,
  keys.updateSeenEntryMethod,
  events.putNotifyingMethod,
  events.deleteNotifyingMethod,
  events.updateNotifyingMethod,
  events.updateSeenNotifyingMethod,
  events.completeNotifyingMethod,
  events.listEventsMethod,
  reclaiming(events.removeEventsMethod),
  listings.listEntriesMethod,
  listings.listVersionsMethod,
  uploads.createUploadMethod,
  uploads.getUploadMethod,
  uploads.putPartMethod,
  uploads.listPartsMethod,
  uploads.completeUploadMethod,
  uploads.abortUploadMethod,
  uploads.listUploadsMethod,
  reclaiming(upkeep.addGarbageMethod),
  upkeep.listGarbageMethod,
  upkeep.removeGarbageMethod,
  reclaiming(upkeep.cancelWritersMethod),
  upkeep.listReferencesMethod,
  upkeep.listLocatedMethod,
  upkeep.relocateEntryMethod,
  upkeep.relocatePartMethod,
  upkeep.openShardMethod,
  upkeep.openPartMethod,
  upkeep.openLostShardMethod,
  upkeep.sealShardMethod,
  upkeep.closeShardMethod,
  upkeep.reopenShardMethod,
  upkeep.describeShardMethod,
  upkeep.countRowsMethod,
  upkeep.tallyRowsMethod,
  splits.startSplitMethod,
  splits.freezeKeysMethod,
  splits.listFrozenMethod,
  splits.installRowsMethod,
  splits.releaseKeysMethod,
  splits.takeKeysMethod,
  splits.trimKeysMethod,
  splits.finishSplitMethod,
  splits.endSplitMethod,
  upkeep.sweepShardMethod,
  registry.createBucketMethod,
  registry.getBucketMethod,
  registry.putBucketDocumentMethod,
  registry.listBucketsMethod,
  registry.removeBucketMethod,
  registry.markRemovingMethod,
  registry.keepBucketMethod,
  registry.removeMarkedMethod,
  registry.addSplitMethod,
  registry.commitSplitMethod,
  registry.masterKeyMethod,
  registry.listShardsMethod,
  registry.getWritersMethod,
  reclaiming(registry.addWritersMethod),
  registry.forgetBucketMethod,
  registry.markNotifiedMethod,
  registry.listNotifiedMethod,
  reclaiming(registry.noteLongReadMethod),
  reclaiming(registry.oldestReadMethod),
  trash.trashBucketMethod,
  trash.restoreBucketMethod,
  trash.listTrashMethod,
  reclaiming(trash.purgeBucketMethod),
  trash.walkBucketsMethod,
  trash.locateBucketMethod,
  trash.trashShardMethod,
  trash.untrashShardMethod,
]);
