// Directed scenarios: one schedule each that once lost something, or that a rule of the protocol exists
// for. They run before the seeds of the smoke run, and a planted bug may name one that must catch it.

import { equalBytes } from '../base/bytes.ts';
import type { PgId } from '../base/ids.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import { copies, erasure, slotCount } from '../map/geometry.ts';
import { headKeysBegin, headKeysEnd, headSlots } from '../store/format.ts';
import { compareMembers } from './end-state.ts';
import { answerLostByCatchingUp } from './regressions/answer-lost-by-catching-up.ts';
import { badWhileOthersAreAway } from './regressions/bad-while-others-are-away.ts';
import { bootOfAnEarlierLife } from './regressions/boot-of-an-earlier-life.ts';
import { deadLeadOfAShortGroup } from './regressions/dead-lead-of-a-short-group.ts';
import { deleteWhereAllHasGone } from './regressions/delete-where-all-has-gone.ts';
import { diskFailsOneRead } from './regressions/disk-fails-one-read.ts';
import { deletedHalfWay, givenUpHalfWay } from './regressions/given-up-half-way.ts';
import { heardInADeadDisksName } from './regressions/heard-in-a-dead-disks-name.ts';
import { judgeLostHalfWay } from './regressions/judge-lost-half-way.ts';
import { layoutCalledEmpty } from './regressions/layout-called-empty.ts';
import { layoutNotHeardOf } from './regressions/layout-not-heard-of.ts';
import { leadOfWhoCannot } from './regressions/lead-of-who-cannot.ts';
import { leadOfWhoLost } from './regressions/lead-of-who-lost.ts';
import { lostOfARemovedPool } from './regressions/lost-of-a-removed-pool.ts';
import { putLostAtATakeover } from './regressions/put-lost-at-a-takeover.ts';
import { readBesideAPut } from './regressions/read-beside-a-put.ts';
import { replacedBeforeOneWentAside } from './regressions/replaced-before-one-went-aside.ts';
import { reportsOfAnEarlierLife } from './regressions/reports-of-an-earlier-life.ts';
import { shardsOfAnOldPlace } from './regressions/shards-of-an-old-place.ts';
import { takeoverWaitsForEver } from './regressions/takeover-waits-for-ever.ts';
import type { SimulatedOsd } from './simulated-cluster.ts';
import { Stage, watched } from './stage.ts';
import { absentAtADeposedPrimary } from './stories/absent-at-a-deposed-primary.ts';
import { allMonitorsGone } from './stories/all-monitors-gone.ts';
import { answeredBelowTheFloor } from './stories/answered-below-the-floor.ts';
import { askedInVain, writtenInVain } from './stories/asked-in-vain.ts';
import { backfillGoesOn } from './stories/backfill-goes-on.ts';
import { blobOfTheUncommitted } from './stories/blob-of-the-uncommitted.ts';
import { changeInPlace } from './stories/change-in-place.ts';
import { closedUpload } from './stories/closed-upload.ts';
import { commitUnheard } from './stories/commit-unheard.ts';
import { deposedUnheard } from './stories/deposed-unheard.ts';
import { droppedYesterday } from './stories/dropped-yesterday.ts';
import {
  askedWhereNoObjectsAre,
  givenUpByAnEditedMap,
  interimOfAnEditedMap,
  laidOutByAnEditedMap,
  nobodyThereToRefuseTheMap,
  shownAnEditedMap,
} from './stories/edited-map.ts';
import { firstToBoot } from './stories/first-to-boot.ts';
import { frozenOsd } from './stories/frozen-osd.ts';
import { fullDiskGivesBack } from './stories/full-disk-gives-back.ts';
import { getNeverShort } from './stories/get-never-short.ts';
import {
  answerLostInAHandOver,
  lostInAHandOver,
  lostWhereItWent,
  madeAfterATurn,
  madeWhileSealing,
  pushHeldBack,
  takenAndNotKept,
  turnedBackOnArrival,
  turnedBackWhileAsking,
  unsealedLayoutStays,
} from './stories/hand-over-broken.ts';
import { indexSplits } from './stories/index-splits.ts';
import { joiningDoesNotCount } from './stories/joining-does-not-count.ts';
import { lastHoldersStay } from './stories/last-holders-stay.ts';
import { leadsEvenOut } from './stories/leads-even-out.ts';
import { logTooOldToLead } from './stories/log-too-old-to-lead.ts';
import { lostAndBegunAgain, lostAndBegunEmpty } from './stories/lost-and-begun-again.ts';
import { lostObject } from './stories/lost-object.ts';
import { moveUnheard } from './stories/move-unheard.ts';
import { nameTurnedBack, removedAfterItStayed } from './stories/name-turned-back.ts';
import { nameUsedAgain } from './stories/name-used-again.ts';
import { namesHandedOver } from './stories/names-handed-over.ts';
import { plannedHandOver } from './stories/planned-hand-over.ts';
import { promotedOnItsPromise } from './stories/promoted-on-its-promise.ts';
import { pushOvertakenByADelete } from './stories/push-overtaken-by-a-delete.ts';
import { putsWaitForMemory } from './stories/puts-wait-for-memory.ts';
import { requestHeldBack } from './stories/request-held-back.ts';
import { rottenPrimary } from './stories/rotten-primary.ts';
import { sameSequence } from './stories/same-sequence.ts';
import { slowPut } from './stories/slow-put.ts';
import { pausedWithItsClocks, suspendedMachine } from './stories/suspended-machine.ts';
import { tenureForgotten } from './stories/tenure-forgotten.ts';
import { tornSuperblock } from './stories/torn-superblock.ts';
import { trashComesBack } from './stories/trash-comes-back.ts';
import { twoDisksAtOnce } from './stories/two-disks-at-once.ts';
import { leftOutGroup, unreadableGroup, unreadableLeftOver } from './stories/unreadable-group.ts';
import { wordOfTheMonitor } from './stories/word-of-the-monitor.ts';

/** Rule 1: only what is durable is acknowledged, also when a connection breaks and comes back. */
async function headInMemory(): Promise<void> {
  const stage = new Stage(2, copies(2, 1));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const [member] = stage.members as [SimulatedOsd];
  // Once before, so that there is nothing else the member would have to write when it is collected.
  stage.cluster.network.reset(`osd.${stage.primary.id}`, `osd.${member.id}`);
  await stage.run(2000);
  member.files.fault = ({ kind }) => (kind.startsWith('rows-') ? 'hang' : undefined);
  const write = watched(stage.row(client, 'k=2'));
  await stage.run(500);
  stage.cluster.network.reset(`osd.${stage.primary.id}`, `osd.${member.id}`);
  await stage.run(2000);
  stage.expect(!write.isDone(), 'acknowledged though a member has not persisted it');
  stage.end();
}

/** Rule 1: the primary's own disk is one of those that have to have it. */
async function primaryInMemory(): Promise<void> {
  const stage = new Stage(2, copies(2, 1));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const { primary } = stage;
  const [member] = stage.members as [SimulatedOsd];
  const writes = ['rows-commit', 'rows-sync'];
  primary.files.fault = ({ kind }) => (writes.includes(kind) ? 'hang' : undefined);
  const write = watched(stage.row(client, 'k=2'));
  await stage.run(2000);
  stage.expect(member.osd?.memberOf(stage.pg)?.disk.head.sequence === 2, 'the member has it');
  stage.expect(!write.isDone(), 'acknowledged though the primary has not persisted it');
  stage.end();
}

/**
 * Rules 6 to 9: a primary that nobody reaches stops serving before another begins. Its peers and the
 * monitor lose it at once, a client still reaches it.
 */
async function primaryCutOff(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), true);
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const old = stage.primary;
  stage.part(`osd.${old.id}`, ['mon', ...stage.members.map(({ id }) => `osd.${id}`)]);
  await stage.run(3000);
  await stage.cluster.settle(
    stage.cluster.monitor.markDownByOperator(old.id),
    'marking the primary down',
  );
  await stage.run(10_000);
  stage.expect(stage.primary !== old, 'another primary was elected');
  stage.expect((await stage.set(client, 'k=2')) === '1', 'the value before was read');
  stage.cluster.network.heal();
  await stage.cluster.untilClean();
  stage.expect((await stage.set(client, 'k')) === '2', 'the last value is read');
  stage.end();
}

/**
 * Rules 8 and 9: the monitor takes a primary for dead that runs, and elects a member at once. Without the
 * wait, both serve until the old one's promises end.
 */
async function electedTooEarly(): Promise<void> {
  for (const geometry of [copies(2, 1), copies(3, 2)])
    for (let delayMs = 0; delayMs <= 400; delayMs += 200) {
      const stage = new Stage(slotCount(geometry), geometry, true);
      const client = await stage.start();
      await stage.set(client, 'k=1');
      await stage.run(delayMs);
      await stage.depose(stage.cutOff());
      await stage.run(6000);
      stage.end();
    }
}

/**
 * Rule 8: promises die with the process, so a start waits as long as any of them may last. The old primary
 * hears nothing of its members' restart.
 */
async function restartForgetsPromises(): Promise<void> {
  for (const geometry of [copies(2, 1), copies(3, 2)]) {
    const stage = new Stage(slotCount(geometry), geometry);
    const client = await stage.start();
    await stage.set(client, 'k=1');
    const { members } = stage;
    const old = stage.cutOff();
    for (const member of members) stage.cluster.killOsd(member.id);
    for (const member of members) await stage.cluster.startOsd(member.id);
    await stage.depose(old);
    await stage.run(6000);
    stage.end();
  }
}

/**
 * Rule 6: a promise counts from when it was asked for. Its answer is held back almost as long as a lease;
 * by the time it comes, the member's own count has nearly run out.
 */
async function lateAnswerOfAMember(): Promise<void> {
  const stage = new Stage(2, copies(2, 1));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const old = stage.primary;
  const [member] = stage.members as [SimulatedOsd];
  const [here, there] = [`osd.${old.id}`, `osd.${member.id}`];
  stage.cluster.network.cut(there, here);
  await stage.run(500);
  stage.part(here, ['mon']);
  stage.cluster.network.cut(here, there);
  await stage.depose(old);
  await stage.run(1400);
  stage.cluster.network.mend(there, here);
  await stage.run(4000);
  stage.end();
}

/** Rule 7: a process that slept longer than its promises finds out before it answers. */
async function pausedPrimary(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), true);
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const old = stage.primary;
  const reader = watched(stage.row(client, 'k'));
  old.process?.pause();
  await stage.cluster.settle(
    stage.cluster.monitor.markDownByOperator(old.id),
    'marking the primary down',
  );
  await stage.run(9000);
  stage.expect(stage.primary !== old, 'another primary was elected');
  await stage.set(client, 'k=2');
  old.process?.resume();
  await stage.run(3000);
  stage.expect(reader.isDone() || reader.isRefused(), 'the read ended');
  stage.expect((await stage.set(client, 'k')) === '2', 'the last value is read');
  stage.end();
}

/** Rule 19: the longest log among all in-sync members wins, whoever is elected with whatever it lost. */
async function longestLogWins(): Promise<void> {
  for (let cut = 0; cut < 3; cut++) {
    const stage = new Stage(3, copies(3, 2));
    const client = await stage.start();
    for (let at = 0; at < 20; at++) await stage.set(client, `k=${at}`);
    const writes = Array.from({ length: 5 }, (_, at) => stage.row(client, `w${at}=x`));
    for (const write of writes) write.catch(() => {});
    await stage.run(cut);
    for (const osd of stage.cluster.osds) stage.cluster.killOsd(osd.id, { power: true });
    const ids = stage.cluster.osds.map(({ id }) => id);
    for (const id of [...ids.slice(cut), ...ids.slice(0, cut)]) await stage.cluster.startOsd(id);
    await stage.cluster.untilClean();
    stage.expect((await stage.set(client, 'k')) === '19', 'the last value is read');
    stage.end();
  }
}

/**
 * Rule 12: what became of a proposal is known only from the record. The monitor accepts a drop, and its
 * answer is lost.
 */
async function lostAnswerOfTheMonitor(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const [victim] = stage.members as [SimulatedOsd];
  stage.cluster.network.cut('mon', `osd.${stage.primary.id}`);
  stage.cluster.killOsd(victim.id);
  const write = watched(stage.row(client, 'k=2'));
  await stage.run(9000);
  stage.cluster.network.heal();
  await stage.run(9000);
  stage.expect(write.isDone() || write.isRefused(), 'the write ended');
  await stage.cluster.startOsd(victim.id);
  await stage.cluster.untilClean();
  stage.end();
}

/**
 * Rule 3: what is not committed is not read. A write waits for a member that has it not; it is gone when
 * that member takes over.
 */
async function readOfTheUncommitted(): Promise<void> {
  const stage = new Stage(2, copies(2, 1));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const [member] = stage.members as [SimulatedOsd];
  stage.cluster.network.cut(`osd.${stage.primary.id}`, `osd.${member.id}`);
  const write = stage.row(client, 'k=2');
  write.catch(() => {});
  await stage.run(100);
  let seen = '';
  stage.row(await stage.cluster.client(), 'k').then(
    (value) => {
      seen = value;
    },
    () => {},
  );
  await stage.run(1000);
  stage.expect(seen !== '2', 'a write was read that only the primary has');
  stage.end();
}

/**
 * Rule 3: a new primary serves only once its whole in-sync set has confirmed the log it adopted. One member
 * has an entry that the others lack; elected, it tells a reader, and is gone before they have it.
 */
async function unconfirmedTail(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const old = stage.primary;
  const [first, second] = stage.members as [SimulatedOsd, SimulatedOsd];
  stage.cluster.network.cut(`osd.${old.id}`, `osd.${second.id}`);
  stage.row(client, 'k=2').catch(() => {});
  await stage.run(100);
  stage.cluster.killOsd(old.id);
  await stage.cluster.until('the loss', () => !stage.cluster.monitor.map.osds[old.id]?.up, 20_000);
  const next = stage.primary;
  const other = next === first ? second : first;
  // It has told what it has; from here on it persists nothing, and still gives promises.
  await stage.cluster.until(
    'the logs to be collected',
    () => next.osd?.primaryOf(stage.pg)?.links.get(other.uuid)?.collected !== undefined,
    20_000,
  );
  other.files.fault = ({ kind }) => (kind === 'rows-sync' ? 'hang' : undefined);
  let seen = '';
  let readAt = 0;
  stage.row(await stage.cluster.client(), 'k').then(
    (value) => {
      seen = value;
      readAt = stage.cluster.scheduler.now();
    },
    () => {},
  );
  for (let waitedMs = 0; waitedMs < 6000 && readAt === 0; waitedMs += 50) await stage.run(50);
  const lead = next.osd?.primaryOf(stage.pg);
  const acked = lead?.links.get(other.uuid)?.acked ?? 0;
  const isHeld = lead !== undefined && acked >= lead.disk.head.sequence;
  stage.expect(seen !== '2' || isHeld, 'a tail was read that one member has not confirmed');
  stage.end();
}

/**
 * Rule 1: an acknowledgement counts under its own tenure only. An entry of a deposed primary arrives late,
 * at a member that leads by now and has used the same sequence for something else.
 */
async function entryOfADeposedPrimary(): Promise<void> {
  const stage = new Stage(2, copies(2, 1));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const old = stage.primary;
  const [member] = stage.members as [SimulatedOsd];
  stage.cluster.network.cut(`osd.${old.id}`, `osd.${member.id}`);
  const write = watched(stage.row(client, 'k=2'));
  await stage.run(50);
  stage.part(`osd.${old.id}`, ['mon']);
  await stage.depose(old);
  await stage.run(3000);
  stage.expect((await stage.set(await stage.cluster.client(), 'k=3')) === '1', 'k was 1');
  stage.cluster.network.mend(`osd.${old.id}`, `osd.${member.id}`);
  await stage.run(300);
  stage.expect(!write.isDone(), 'a deposed primary acknowledged a write that nobody has');
  stage.end();
}

/**
 * Rule 19: a disk that came back with an older state, though the record calls it in-sync, is elected; the
 * longest log among all in-sync members is adopted, not its own.
 */
async function yesterdaysDisk(): Promise<void> {
  for (const victim of [0, 1, 2]) {
    const stage = new Stage(3, copies(3, 2));
    const client = await stage.start();
    await stage.set(client, 'k=1');
    await stage.run(1000);
    const osd = stage.cluster.osds[victim] as SimulatedOsd;
    const yesterday = osd.files.copy();
    for (let at = 2; at < 8; at++) await stage.set(client, `k=${at}`);
    for (const each of stage.cluster.osds) stage.cluster.killOsd(each.id);
    osd.files = yesterday;
    await stage.cluster.startOsd(victim);
    for (const each of stage.cluster.osds) if (each !== osd) await stage.cluster.startOsd(each.id);
    await stage.cluster.untilClean();
    stage.expect((await stage.set(client, 'k')) === '7', 'the last value is read');
  }
}

/** Starts three OSDs with disks from before the last writes; `fresh` keeps its present one and stays down. */
async function withOldDisks(
  fresh: number | undefined,
): Promise<{ stage: Stage; client: ClusterClient }> {
  const stage = new Stage(3, copies(3, 2));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  await stage.run(1000);
  const old = stage.cluster.osds.map((osd) => osd.files.copy());
  for (let at = 2; at < 8; at++) await stage.set(client, `k=${at}`);
  // The monitor hears of it with the next beacon.
  await stage.run(1500);
  for (const osd of stage.cluster.osds) stage.cluster.killOsd(osd.id);
  for (const osd of stage.cluster.osds) {
    if (osd.id === fresh) continue;
    osd.files = old[osd.id] as typeof osd.files;
    await stage.cluster.startOsd(osd.id);
  }
  return { stage, client };
}

/** Rule 21: a majority of old disks must not serve what they have; the one that has everything is waited for. */
async function mostDisksOfYesterday(): Promise<void> {
  const { stage, client } = await withOldDisks(0);
  await stage.run(30_000);
  stage.expect(!stage.cluster.isServing(), 'old disks do not serve');
  await stage.cluster.startOsd(0);
  await stage.cluster.untilClean();
  stage.expect((await stage.set(client, 'k')) === '7', 'the last value is read');
}

/** Rule 21: when all disks are old, only the operator can say that what they have is all there is. */
async function allDisksOfYesterday(): Promise<void> {
  const { stage, client } = await withOldDisks(undefined);
  await stage.run(30_000);
  stage.expect(!stage.cluster.isServing(), 'old disks do not serve');
  const record = stage.cluster.monitor.records.get(stage.pg);
  const last = record?.slots.find((slot) => slot.state === 'rolled-back');
  if (last === undefined) throw new Error('nobody is the last holder');
  await stage.cluster.settle(stage.cluster.monitor.acceptRollback(last.osd), 'accepting');
  await stage.cluster.untilClean();
  stage.expect((await stage.set(client, 'k')) === '1', 'what there was is read');
}

/**
 * Rule 22: a monitor with an older copy of its map store elects and promotes nothing by it: it takes what the
 * OSDs know. Two members changed places in what the copy does not know.
 */
async function olderMapStore(): Promise<void> {
  const stage = new Stage(3, copies(3, 2));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const older = cluster.copyMapStore();
  const first = stage.primary;
  cluster.killOsd(first.id);
  await cluster.until('another primary', () => stage.primary !== first, 20_000);
  await cluster.untilServing();
  await stage.set(client, 'k=2');
  const before = cluster.monitor.records.get(stage.pg);
  cluster.killMonitor({ power: false });
  cluster.putMapStore(older);
  const newest = stage.cluster.osds.filter((osd) => osd !== first);
  for (const osd of newest) cluster.killOsd(osd.id);
  // Only the disk that missed the last write is there: by the older records it would lead.
  await cluster.startMonitor();
  await cluster.startOsd(first.id);
  await stage.run(30_000);
  const [known] = newest as [SimulatedOsd];
  await cluster.startOsd(known.id);
  await stage.run(5000);
  stage.expect(cluster.monitor.frozen !== undefined, 'the older store is noticed');
  stage.expect(!cluster.isServing(), 'nothing is led by older records');
  for (const osd of newest) if (osd !== known) await cluster.startOsd(osd.id);
  await cluster.until(
    'the store to be restored',
    () => cluster.monitor.frozen === undefined,
    20_000,
  );
  await cluster.untilClean();
  const after = cluster.monitor.records.get(stage.pg);
  stage.expect((after?.version ?? 0) > (before?.version ?? 0), 'records go on from the newest');
  stage.expect((await stage.set(client, 'k')) === '2', 'the last value is read');
  stage.expect(cluster.failures.length === 0, cluster.failures.join('\n'));
}

/** Rule 21: a disk whose key-value store lost a batch from the middle is filled anew, and leads nothing before. */
async function lostGroup(): Promise<void> {
  for (const victim of [0, 1, 2]) {
    const stage = new Stage(3, copies(3, 2));
    const { cluster } = stage;
    const client = await stage.start();
    for (let at = 1; at < 8; at++) await stage.set(client, `k${at}=${at}`);
    const osd = cluster.osds[victim] as SimulatedOsd;
    cluster.killOsd(victim);
    const rows = await cluster.settle(osd.files.openKeyValue('meta'), 'opening the rows');
    const heads = await cluster.settle(
      rows.scan({ begin: headKeysBegin, end: headKeysEnd, limit: headSlots }),
      'reading heads',
    );
    const lost = heads.at(-3)?.[0];
    if (lost === undefined) throw new Error('fewer than three heads');
    await cluster.settle(rows.commit([{ kind: 'delete', key: lost }], { sync: true }), 'losing it');
    await cluster.settle(rows.close(), 'closing');
    await cluster.startOsd(victim);
    await cluster.untilClean();
    stage.expect(cluster.logged.has('disk older than it was'), 'the monitor is told');
    for (let at = 1; at < 8; at++)
      stage.expect((await stage.set(client, `k${at}`)) === `${at}`, 'every value is read');
    stage.end();
  }
}

/**
 * Rules 10, 12 and 17: the monitor makes a member in-sync and its primary never hears of it; the member is
 * elected. A primary that did not wait for the member's promise, or takes silence for a no, goes on alone.
 */
async function promotionUnheard(): Promise<void> {
  const stage = new Stage(2, copies(2, 1));
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const old = stage.primary;
  const [member] = stage.members as [SimulatedOsd];
  stage.cluster.killOsd(member.id);
  await stage.cluster.until('the member to be dropped', () => stage.members.length === 0, 20_000);
  await stage.set(client, 'k=2');
  await stage.cluster.startOsd(member.id);
  const links = (): number => old.osd?.primaryOf(stage.pg)?.links.size ?? 0;
  await stage.cluster.until('the member to join', () => links() > 0, 20_000);
  stage.cluster.network.cut('mon', `osd.${old.id}`);
  await stage.cluster.until('the promotion', () => stage.members.length === 1, 20_000);
  stage.part(`osd.${old.id}`, [`osd.${member.id}`, 'mon']);
  const write = watched(stage.row(client, 'k=3'));
  await stage.cluster.settle(
    stage.cluster.monitor.markDownByOperator(old.id),
    'marking the primary down',
  );
  await stage.run(9000);
  const isDone = write.isDone();
  stage.end();
  stage.cluster.network.heal();
  await stage.cluster.untilClean();
  const value = await stage.set(client, 'k');
  stage.expect(!isDone || value === '3', `acknowledged k=3, then read k=${value}`);
  stage.end();
}

/**
 * Promises P1 and P2: one disk goes bad and is repaired from the others, then one is lost and rebuilt; below
 * the floor writes wait, and nothing acknowledged is missing at the end.
 */
async function badAndLostDisks(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, erasure(2, 1));
  const client = await stage.start();
  const { cluster } = stage;
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(20);
  const bytes = (at: number): Uint8Array => new Uint8Array(70_000 + at).fill(at);
  const each = async (work: (at: number) => Promise<void>): Promise<void> => {
    for (let at = 0; at < 20; at++) await cluster.settle(work(at), `blob ${at}`);
  };
  const blobAt = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  const check = async (at: number): Promise<void> => {
    const range = { offsetBytes: 0, lengthBytes: 70_000 + at };
    const read = await client.readBlob(layout, blobAt(at), range);
    stage.expect(equalBytes(read, bytes(at)), `blob ${at} is what was written`);
  };
  await each((at) => client.putBlob(layout, blobAt(at), [bytes(at)]));
  await stage.set(client, 'k=1');
  const [, bad] = cluster.osds as [SimulatedOsd, SimulatedOsd];
  for (const page of bad.files.writtenPages('block').slice(0, 40))
    bad.files.flipBit('block', page + 7, 3);
  await each(check);
  cluster.monitor.scrub([...cluster.monitor.records.keys()], true);
  await stage.run(20_000);
  cluster.monitor.scrub([...cluster.monitor.records.keys()], true);
  await stage.run(20_000);
  const [lost] = cluster.osds as [SimulatedOsd];
  cluster.killOsd(lost.id);
  await cluster.until('the loss', () => cluster.monitor.map.osds[0]?.up === false, 20_000);
  const write = watched(client.putBlob(layout, await client.allocateBlobs(1), [bytes(1)]));
  await stage.run(2000);
  stage.expect(!write.isDone(), 'nothing is acknowledged that one more failure could lose');
  await cluster.replaceDisk(lost.id);
  await cluster.startOsd(lost.id);
  await cluster.untilClean();
  await stage.run(3000);
  stage.expect(write.isDone(), 'the write that waited was done');
  cluster.killOsd(bad.id);
  await each(check);
  stage.end();
}

/**
 * Rule 24: what was deleted while a member was away is not there after it was filled again. The member leads
 * when it is cut off, and orders an entry that nobody else has, so that its log does not meet theirs.
 */
async function deletedWhileAway(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, copies(3, 2));
  const client = await stage.start();
  const { cluster } = stage;
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(12);
  const blobAt = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  const put = (at: number) => client.putBlob(layout, blobAt(at), [new Uint8Array(20_000).fill(at)]);
  for (let at = 0; at < 10; at++) await cluster.settle(put(at), `blob ${at}`);
  const pg = [...cluster.monitor.records.keys()].at(-1) as PgId;
  const old = cluster.osdOf(cluster.monitor.records.get(pg)?.primary) as SimulatedOsd;
  const others = cluster.osds.filter((osd) => osd !== old).map(({ id }) => `osd.${id}`);
  stage.part(`osd.${old.id}`, [...others, 'mon']);
  const unheard = put(10);
  unheard.catch(() => {});
  await stage.run(100);
  await stage.depose(old);
  await stage.run(5000);
  const other = await cluster.client();
  for (let at = 0; at < 5; at++)
    await cluster.settle(other.deleteBlob(layout, blobAt(at)), `deleting blob ${at}`);
  cluster.network.heal();
  await cluster.untilClean();
  await cluster.settle(unheard, 'the put that was not heard', 60_000).catch(() => {});
  await stage.run(2000);
  const problems: string[] = [];
  await compareMembers(cluster, problems);
  stage.expect(problems.length === 0, problems.join('\n'));
  stage.end();
}

/**
 * Rule 20: a put that fewer disks hold than are needed to read it is given up by whoever takes over, and
 * what was told of it is forgotten with it.
 */
async function unfinishedPut(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, erasure(2, 1));
  const client = await stage.start();
  const { cluster } = stage;
  const layout = client.activeLayout('data');
  const pg = [...cluster.monitor.records.keys()].at(-1) as PgId;
  const old = cluster.osdOf(cluster.monitor.records.get(pg)?.primary) as SimulatedOsd;
  for (const osd of cluster.osds) if (osd !== old) stage.part(`osd.${old.id}`, [`osd.${osd.id}`]);
  const blob = await client.allocateBlobs(1);
  const put = client.putBlob(layout, blob, [new Uint8Array(50_000).fill(1)]);
  put.catch(() => {});
  await stage.run(200);
  for (const osd of cluster.osds) cluster.killOsd(osd.id, { power: true });
  cluster.network.heal();
  for (const osd of cluster.osds) await cluster.startOsd(osd.id);
  // The client tries again with the same request: it is done anew, not called done.
  await cluster.settle(put, 'the put', 60_000);
  await cluster.untilClean();
  const range = { offsetBytes: 0, lengthBytes: 50_000 };
  const read = await cluster.settle(client.readBlob(layout, blob, range), 'the read');
  stage.expect(equalBytes(read, new Uint8Array(50_000).fill(1)), 'it is what was written');
  stage.end();
}

/**
 * Promise P2: while one read hangs, what was written after it began is read from the disk, and not from
 * memory that its writer uses again.
 */
async function readBesideAHungRead(): Promise<void> {
  const stage = new Stage(2, copies(2, 1), false, copies(2, 1));
  const client = await stage.start();
  const { cluster } = stage;
  const layout = client.activeLayout('data');
  const blobs = await client.allocateBlobs(6);
  const blobAt = (at: number) => ({ ...blobs, counter: blobs.counter + at });
  const bytes = (at: number): Uint8Array => new Uint8Array(80_000).fill(at + 1);
  const range = { offsetBytes: 0, lengthBytes: 80_000 };
  await cluster.settle(client.putBlob(layout, blobAt(0), [bytes(0)]), 'a put');
  for (const osd of cluster.osds) {
    let hangs = 1;
    osd.files.fault = ({ kind }) => (kind === 'block-read' && hangs-- > 0 ? 'hang' : undefined);
  }
  client.readBlob(layout, blobAt(0), range).catch(() => {});
  await stage.run(200);
  for (let at = 1; at < 6; at++) {
    await cluster.settle(client.putBlob(layout, blobAt(at), [bytes(at)]), 'a put');
    const read = await cluster.settle(client.readBlob(layout, blobAt(at), range), 'a read');
    stage.expect(equalBytes(read, bytes(at)), `blob ${at} is what was written`);
  }
  stage.end();
}

export const scenarios: ReadonlyMap<string, () => Promise<void>> = new Map([
  ['bad-and-lost-disks', badAndLostDisks],
  ['deleted-while-away', deletedWhileAway],
  ['unfinished-put', unfinishedPut],
  ['read-beside-a-hung-read', readBesideAHungRead],
  ['head-in-memory', headInMemory],
  ['primary-in-memory', primaryInMemory],
  ['primary-cut-off', primaryCutOff],
  ['elected-too-early', electedTooEarly],
  ['restart-forgets-promises', restartForgetsPromises],
  ['late-answer-of-a-member', lateAnswerOfAMember],
  ['paused-primary', pausedPrimary],
  ['longest-log-wins', longestLogWins],
  ['lost-answer-of-the-monitor', lostAnswerOfTheMonitor],
  ['promotion-unheard', promotionUnheard],
  ['read-of-the-uncommitted', readOfTheUncommitted],
  ['unconfirmed-tail', unconfirmedTail],
  ['entry-of-a-deposed-primary', entryOfADeposedPrimary],
  ['yesterdays-disk', yesterdaysDisk],
  ['most-disks-of-yesterday', mostDisksOfYesterday],
  ['all-disks-of-yesterday', allDisksOfYesterday],
  ['older-map-store', olderMapStore],
  ['lost-group', lostGroup],
  ['asked-in-vain', askedInVain],
  ['written-in-vain', writtenInVain],
  ['lost-and-begun-again', lostAndBegunAgain],
  ['lost-and-begun-empty', lostAndBegunEmpty],
  ['joining-does-not-count', joiningDoesNotCount],
  ['first-to-boot', firstToBoot],
  ['push-overtaken-by-a-delete', pushOvertakenByADelete],
  ['request-held-back', requestHeldBack],
  ['suspended-machine', suspendedMachine],
  ['paused-with-its-clocks', pausedWithItsClocks],
  ['frozen-osd', frozenOsd],
  ['full-disk-gives-back', fullDiskGivesBack],
  ['trash-comes-back', trashComesBack],
  ['two-disks-at-once', twoDisksAtOnce],
  ['dropped-yesterday', droppedYesterday],
  ['rotten-primary', rottenPrimary],
  ['lost-object', lostObject],
  ['unreadable-group', unreadableGroup],
  ['unreadable-left-over', unreadableLeftOver],
  ['left-out-group', leftOutGroup],
  ['log-too-old-to-lead', logTooOldToLead],
  ['planned-hand-over', plannedHandOver],
  ['leads-even-out', leadsEvenOut],
  ['answer-lost-by-catching-up', answerLostByCatchingUp],
  ['put-lost-at-a-takeover', putLostAtATakeover],
  ['read-beside-a-put', readBesideAPut],
  ['given-up-half-way', givenUpHalfWay],
  ['deleted-half-way', deletedHalfWay],
  ['judge-lost-half-way', judgeLostHalfWay],
  ['layout-called-empty', layoutCalledEmpty],
  ['delete-where-all-has-gone', deleteWhereAllHasGone],
  ['shards-of-an-old-place', shardsOfAnOldPlace],
  ['takeover-waits-for-ever', takeoverWaitsForEver],
  ['lead-of-who-cannot', leadOfWhoCannot],
  ['lead-of-who-lost', leadOfWhoLost],
  ['given-up-by-an-edited-map', givenUpByAnEditedMap],
  ['shown-an-edited-map', shownAnEditedMap],
  ['laid-out-by-an-edited-map', laidOutByAnEditedMap],
  ['asked-where-no-objects-are', askedWhereNoObjectsAre],
  ['nobody-there-to-refuse-the-map', nobodyThereToRefuseTheMap],
  ['interim-of-an-edited-map', interimOfAnEditedMap],
  ['heard-in-a-dead-disks-name', heardInADeadDisksName],
  ['dead-lead-of-a-short-group', deadLeadOfAShortGroup],
  ['lost-of-a-removed-pool', lostOfARemovedPool],
  ['replaced-before-one-went-aside', replacedBeforeOneWentAside],
  ['bad-while-others-are-away', badWhileOthersAreAway],
  ['boot-of-an-earlier-life', bootOfAnEarlierLife],
  ['reports-of-an-earlier-life', reportsOfAnEarlierLife],
  ['change-in-place', changeInPlace],
  ['names-handed-over', namesHandedOver],
  ['name-turned-back', nameTurnedBack],
  ['push-held-back', pushHeldBack],
  ['taken-and-not-kept', takenAndNotKept],
  ['answer-lost-in-a-hand-over', answerLostInAHandOver],
  ['unsealed-layout-stays', unsealedLayoutStays],
  ['lost-in-a-hand-over', lostInAHandOver],
  ['turned-back-on-arrival', turnedBackOnArrival],
  ['turned-back-while-asking', turnedBackWhileAsking],
  ['made-after-a-turn', madeAfterATurn],
  ['made-while-sealing', madeWhileSealing],
  ['removed-after-it-stayed', removedAfterItStayed],
  ['lost-where-it-went', lostWhereItWent],
  ['answered-below-the-floor', answeredBelowTheFloor],
  ['blob-of-the-uncommitted', blobOfTheUncommitted],
  ['name-used-again', nameUsedAgain],
  ['deposed-unheard', deposedUnheard],
  ['word-of-the-monitor', wordOfTheMonitor],
  ['tenure-forgotten', tenureForgotten],
  ['promoted-on-its-promise', promotedOnItsPromise],
  ['same-sequence', sameSequence],
  ['last-holders-stay', lastHoldersStay],
  ['all-monitors-gone', allMonitorsGone],
  ['absent-at-a-deposed-primary', absentAtADeposedPrimary],
  ['slow-put', slowPut],
  ['commit-unheard', commitUnheard],
  ['move-unheard', moveUnheard],
  ['get-never-short', getNeverShort],
  ['closed-upload', closedUpload],
  ['index-splits', indexSplits],
  ['puts-wait-for-memory', putsWaitForMemory],
  ['backfill-goes-on', backfillGoesOn],
  ['torn-superblock', tornSuperblock],
  ['layout-not-heard-of', layoutNotHeardOf],
  ['disk-fails-one-read', diskFailsOneRead],
]);
