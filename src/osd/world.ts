// What every PG of one OSD shares.

import type { OsdId, PgId, Uuid } from '../base/ids.ts';
import type { Methods } from '../base/method.ts';
import { PgFault } from '../base/pg-fault.ts';
import type { Permits } from '../base/turnstile.ts';
import type { Instant } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { MonLink } from '../net/mon-link.ts';
import { StoreError } from '../store/errors.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { MessageOf } from '../wire/messages.ts';
import type { CommitStarter } from './commit-starter.ts';
import type { MemoryGuard } from './memory-guard.ts';
import type { Peers } from './peers.ts';
import type { GivenPromises } from './promises.ts';
import type { Share } from './share.ts';
import type { Starts } from './starts.ts';

/** `ours`: nothing was taken, for the name is that group's already. */
export type Taken = 'taken' | 'ours';

export interface World {
  readonly env: Env;
  readonly self: { readonly uuid: Uuid; readonly id: OsdId };
  readonly store: ObjectStore;
  readonly commits: CommitStarter;
  readonly mon: MonLink;
  readonly peers: Peers;
  readonly promises: GivenPromises;
  readonly methods: Methods;
  /** No primaryship before this: promises of an earlier life of this process may still hold (rule 8). */
  quietUntil: Instant;
  /** Bytes of shards of blobs being put, on their way to disks and members. */
  readonly ingest: Permits;
  /** Blobs being rebuilt for others at once. */
  readonly recoveries: Permits;
  /**
   * By member: who may bring it forward from the log now, a few entries at a time. One that hangs holds up nobody
   * else's.
   */
  readonly catchUps: Map<Uuid, Permits>;
  /** When a primary may begin. */
  readonly starts: Starts;
  /** Scrubs running at once. */
  readonly scrubs: Permits;
  /** How they share the OSD with clients. */
  readonly recoveryShare: Share;
  readonly scrubShare: Share;
  readonly memory: MemoryGuard;
  /** To the primary of another group, here or elsewhere. Throws `OsdError`, `NetError`, `EnvError`. */
  pushRows(message: MessageOf<'push-rows'>): Promise<Taken>;
}

/** Work of one PG that nobody waits for: a defect in it is told with the PG. */
export function spawnFor({ env }: World, pg: PgId, name: string, work: () => Promise<void>): void {
  env.tasks.spawn(`${name} ${pg}`, async () => {
    try {
      await work();
    } catch (error) {
      // The disk's failure is no group's.
      if (error instanceof StoreError && error.code === 'failed') throw error;
      throw new PgFault(pg, error);
    }
  });
}

/** Above this share of its capacity, in thousandths, a disk takes no more data (DESIGN section 9 and 14). */
export const fullPermille = 950;

export function usedPermille(store: ObjectStore): number {
  const { usedBytes, capacityBytes } = store.usage();
  return capacityBytes === 0
    ? 1000
    : Math.min(1000, Math.floor((usedBytes * 1000) / capacityBytes));
}
