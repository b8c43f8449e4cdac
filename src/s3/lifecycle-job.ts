// The job that carries out lifecycle rules.
//
// 1. Only the gateway that holds the job `lifecycle` works; a round walks the buckets that have rules, page by page.
// 2. What the rules say about a version is decided on what a page showed, and done by a call that names that version:
//    whatever was put meanwhile stays, and so does what a lock keeps.
// 3. Nothing is remembered between rounds: a crash, or another gateway, goes on with the next one.

import type { Carried } from '../base/codec.ts';
import type { GatewayParts } from './context.ts';
import {
  causeOfService,
  deleteEvents,
  noticesOf,
  type PossibleEvent,
  withNotices,
} from './event-notices.ts';
import type { BucketConfiguration } from './index/bucket-documents.ts';
import { type EventNotices, eventsPerCallMax } from './index/event-format.ts';
import { type BucketRecord, bucketFormat, shardsOf, uploadFormat } from './index/format.ts';
import * as messages from './index/messages.ts';
import { everyBucket } from './index/shard-walk.ts';
import { PacedJob } from './paced-job.ts';
import { S3Error } from './protocol/errors.ts';
import {
  judgeUpload,
  judgeVersion,
  type Lifecycle,
  type LifecycleAction,
  lifecycleOf,
  type Times,
} from './protocol/lifecycle.ts';
import { versioningOf } from './protocol/versioning.ts';

export interface LifecycleOptions {
  readonly intervalMs: number;
  readonly dayMs: number;
}

const itemsPerCall = 250;
/** Between two pages, so that clients hardly notice. */
const pagePauseMs = 20;

type Page = Extract<Carried<typeof messages.listVersions.result>, { readonly kind: 'page' }>;
type Version = Extract<Page['items'][number], { readonly kind: 'version' }>;
type DeleteItem = Carried<typeof messages.deleteEntries.argument>['items'][number];

interface Bucket {
  readonly name: string;
  readonly configuration: BucketConfiguration;
  readonly record: BucketRecord;
  readonly rules: Lifecycle;
  readonly versioning: ReturnType<typeof versioningOf>;
  readonly times: Times;
}

/** A version and what stands around it, as the walk comes by. */
interface Seen {
  readonly version: Version;
  readonly isFirst: boolean;
  /** When the version before it in the walk, the next newer one, was put. */
  readonly sinceMs: number;
  readonly newerCount: number;
}

function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

const decoder = new TextDecoder();

export class LifecycleJob {
  readonly #parts: GatewayParts;
  readonly #options: LifecycleOptions;
  readonly #job: PacedJob;

  constructor(parts: GatewayParts, options: LifecycleOptions) {
    this.#parts = parts;
    this.#options = options;
    const { intervalMs } = options;
    this.#job = new PacedJob(parts, { job: 'lifecycle', intervalMs });
  }

  start(): void {
    this.#job.start(() => this.#round());
  }

  stop(): void {
    this.#job.stop();
  }

  async #round(): Promise<void> {
    for await (const each of everyBucket(this.#parts.index)) {
      const { name, removed, trashed, restored, record } = each;
      if (this.#job.isStopped) return;
      if (!removed && !trashed && !restored) await this.#tryBucket(name, record);
    }
  }

  async #tryBucket(name: string, encoded: Uint8Array): Promise<void> {
    try {
      const record = bucketFormat.decode(encoded);
      const { configuration, record: now } = await this.#parts.index.lookUp(name);
      const rules = lifecycleOf(configuration);
      if (rules === undefined || now.bucketId !== record.bucketId) return;
      const nowMs = this.#parts.env.wall.nowMs();
      await this.#bucket({
        name,
        configuration,
        record: now,
        rules,
        versioning: versioningOf(configuration),
        times: { nowMs, dayMs: this.#options.dayMs },
      });
    } catch (error) {
      // Gone meanwhile, or configured by a newer gateway in a way that this one does not understand.
      if (error instanceof S3Error) return;
      this.#job.report(error, 'the lifecycle rules of a bucket are not carried out', name);
    }
  }

  async #bucket(bucket: Bucket): Promise<void> {
    for (const object of shardsOf(bucket.record)) {
      await this.#shard(bucket, object);
      if (bucket.rules.some(({ abortDays }) => abortDays !== undefined))
        await this.#uploads(bucket, object);
    }
  }

  async #shard(bucket: Bucket, object: string): Promise<void> {
    const { index } = this.#parts;
    let keyMarker: Uint8Array = new Uint8Array(0);
    let versionMarker: Carried<typeof messages.listVersions.argument>['versionMarker'];
    let held: Seen | undefined;
    while (!this.#job.isStopped) {
      const page = await index.callObject(object, messages.listVersions, {
        // Keys that go elsewhere meanwhile are there in the next round.
        from: undefined,
        prefix: new Uint8Array(0),
        delimiter: new Uint8Array(0),
        limit: itemsPerCall,
        keyMarker,
        versionMarker,
        withTags: true,
      });
      if (page.kind === 'refused') return;
      const deletes: DeleteItem[] = [];
      for (const version of page.items) {
        if (version.kind !== 'version') continue;
        const follows = held !== undefined && sameKey(held.version.key, version.key);
        // Whether a version is its key's only one is known when the one after it is.
        if (held !== undefined) await this.#judge(bucket, object, held, follows, deletes);
        held =
          held !== undefined && follows
            ? {
                version,
                isFirst: false,
                sinceMs: held.version.wallMs,
                newerCount: held.newerCount + (held.isFirst ? 0 : 1),
              }
            : { version, isFirst: true, sinceMs: 0, newerCount: 0 };
        keyMarker = version.key;
        versionMarker = { ...version.version, kind: 'version' };
      }
      if (page.ended && held !== undefined) await this.#judge(bucket, object, held, false, deletes);
      await this.#delete(bucket, object, deletes);
      if (page.ended) return;
      await this.#job.pause(pagePauseMs);
    }
  }

  async #judge(
    bucket: Bucket,
    object: string,
    seen: Seen,
    isFollowed: boolean,
    deletes: DeleteItem[],
  ): Promise<void> {
    const { version } = seen;
    const action = judgeVersion(
      bucket.rules,
      {
        ...version,
        key: decoder.decode(version.key),
        isSole: seen.isFirst && !isFollowed,
        noncurrent: seen.isFirst
          ? undefined
          : { sinceMs: seen.sinceMs, newerCount: seen.newerCount },
      },
      bucket.times,
    );
    await this.#act(bucket, object, { version, action }, deletes);
  }

  async #act(
    bucket: Bucket,
    object: string,
    { version, action }: { readonly version: Version; readonly action: LifecycleAction },
    deletes: DeleteItem[],
  ): Promise<void> {
    const versionId = version.isNull
      ? ({ kind: 'null' } as const)
      : ({ ...version.version, kind: 'version' } as const);
    switch (action.kind) {
      case 'keep':
        return;
      case 'transition': {
        const key = decoder.decode(version.key);
        const argument = {
          key: version.key,
          versionId,
          change: {
            kind: 'storageClass' as const,
            storageClass: action.storageClass,
            ifVersion: version.version,
          },
        };
        const notices = this.#notices(bucket, [{ key, name: 'LifecycleTransition' }]);
        await withNotices(notices, messages.updateEntry, argument, (call, argument) =>
          this.#parts.index.callObject(object, call, argument),
        );
        return;
      }
      case 'expire':
      case 'remove':
        deletes.push({
          key: version.key,
          versionId: action.kind === 'expire' ? undefined : versionId,
          ifMatch: undefined,
          ifSizeBytes: undefined,
          ifModifiedMs: undefined,
          ifVersion: version.version,
          bypassGovernance: false,
        });
    }
  }

  async #delete(bucket: Bucket, object: string, items: readonly DeleteItem[]): Promise<void> {
    if (items.length === 0) return;
    const argument = { versioning: bucket.versioning, owner: bucket.record.owner, items };
    const possible = items.flatMap(({ key }, i) =>
      deleteEvents(decoder.decode(key), i, 'LifecycleExpiration'),
    );
    const notices = this.#notices(bucket, possible);
    const middle = items.length >> 1;
    if ((notices?.wanted.length ?? 0) > eventsPerCallMax && middle > 0) {
      await this.#delete(bucket, object, items.slice(0, middle));
      return this.#delete(bucket, object, items.slice(middle));
    }
    // What is refused because too many events wait comes again with the next round.
    await withNotices(notices, messages.deleteEntries, argument, (call, argument) =>
      this.#parts.index.callObject(object, call, argument),
    );
  }

  #notices(bucket: Bucket, possible: readonly PossibleEvent[]): EventNotices | undefined {
    const cause = causeOfService(this.#parts, 's3.amazonaws.com');
    return noticesOf(this.#parts, bucket, { cause, possible });
  }

  async #uploads(bucket: Bucket, object: string): Promise<void> {
    const { index } = this.#parts;
    let keyMarker: Uint8Array = new Uint8Array(0);
    let uploadIdMarker = '';
    while (!this.#job.isStopped) {
      const page = await index.callObject(object, messages.listUploads, {
        from: undefined,
        prefix: new Uint8Array(0),
        delimiter: new Uint8Array(0),
        limit: itemsPerCall,
        keyMarker,
        uploadIdMarker,
      });
      if (page.kind === 'refused') return;
      for (const item of page.items) {
        if (item.kind !== 'upload') continue;
        const { key, uploadId } = item;
        [keyMarker, uploadIdMarker] = [key, uploadId];
        const { wallMs } = uploadFormat.decode(item.upload);
        if (judgeUpload(bucket.rules, { key: decoder.decode(key), wallMs }, bucket.times))
          await index.callObject(object, messages.abortUpload, { key, uploadId });
      }
      if (page.ended) return;
      await this.#job.pause(pagePauseMs);
    }
  }
}
