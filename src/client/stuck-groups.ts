// Placement groups that nobody can serve, as the newest map and records have it: too few of the disks that hold
// everything are up, or too few of any kind to write. Whoever asks such a group for something waits in vain, and is
// told so soon. While enough are up a failover is under way, or will be, and is waited out.

import type { OsdId, PgId } from '../base/ids.ts';
import { parsePgId } from '../base/ids.ts';
import type { Clock, Instant } from '../env/clock.ts';
import { type ClusterMap, findLayout, findOsd, type Layout } from '../map/cluster-map.ts';
import { recordFloor, writeFloor } from '../map/geometry.ts';
import {
  beginnerOf,
  distinctCount,
  hasRecordFloor,
  type PgRecord,
  type Slot,
} from '../map/pg-record.ts';

/** What is asked of the group: `any` is everything, since writes need a primary as well. */
export type Wanted = 'any' | 'write';

/**
 * How long a group is given in which nobody can serve. A daemon that is killed is up again in two to three seconds, and
 * disks of one host that restart one after the other are away together for a moment: that is nothing a client should
 * hear of. What lasts longer takes a person, or minutes.
 */
export const stuckMs = 5000;

interface Knowledge {
  readonly map: ClusterMap | undefined;
  readonly records: ReadonlyMap<PgId, PgRecord>;
}

interface Stuck {
  readonly reason: string;
  /** Those whose return would help. */
  readonly away: readonly Slot[];
}

export class StuckGroups {
  readonly #clock: Clock;
  readonly #knowledge: Knowledge;
  /** Since when this client has known that an OSD is down, whatever disk it has by now. */
  readonly #downSince = new Map<OsdId, Instant>();

  constructor(clock: Clock, knowledge: Knowledge) {
    this.#clock = clock;
    this.#knowledge = knowledge;
  }

  /** To be called with each newer map. */
  changed(): void {
    const now = this.#clock.now();
    const down = new Set<OsdId>();
    for (const osd of this.#knowledge.map?.osds ?? []) {
      if (osd.up) continue;
      down.add(osd.id);
      if (!this.#downSince.has(osd.id)) this.#downSince.set(osd.id, now);
    }
    for (const id of this.#downSince.keys()) if (!down.has(id)) this.#downSince.delete(id);
  }

  /** Why it is asked in vain, once those that it lacks have all been away for `stuckMs`; undefined before, or when not. */
  reasonOf(pg: PgId, wanted: Wanted): string | undefined {
    const { map, records } = this.#knowledge;
    const record = records.get(pg);
    const { pool, layout: id } = parsePgId(pg);
    const layout = map === undefined ? undefined : findLayout(map, pool, id);
    if (map === undefined || record === undefined || layout === undefined) return undefined;
    const stuck =
      wanted === 'any' ? unserved(map, record, layout) : unwritable(map, record, layout);
    const now = this.#clock.now();
    // A disk whose place another has taken, which is up, is not coming back.
    const isRecent = stuck?.away.some(
      ({ osd }) => now - (this.#downSince.get(osd) ?? Number.NEGATIVE_INFINITY) < stuckMs,
    );
    return isRecent === true ? undefined : stuck?.reason;
  }
}

function isLive(map: ClusterMap, slot: Slot): boolean {
  const osd = findOsd(map, slot.osd);
  return osd?.uuid === slot.uuid && osd.up && !osd.destroyed;
}

function unserved(map: ClusterMap, record: PgRecord, layout: Layout): Stuck | undefined {
  const { pg, slots } = record;
  const beginner = beginnerOf(record);
  if (beginner !== undefined)
    return { reason: `pg ${pg} was lost, and begins again from osd.${beginner.osd}`, away: [] };
  const whole = slots.filter(({ state }) => state === 'in-sync');
  const live = whole.filter((slot) => isLive(map, slot));
  if (hasRecordFloor(live, layout)) return undefined;
  // A group that was lost once serves with what it has, until others are filled from it.
  if (!hasRecordFloor(whole, layout) && live.length === whole.length) return undefined;
  const away = slots.filter(
    (slot) => (slot.state === 'in-sync' || slot.state === 'eligible') && !isLive(map, slot),
  );
  const needed = recordFloor(layout.geometry);
  const reason = `pg ${pg} has ${live.length} of the ${needed} disks up that it needs, and waits for ${described(map, away)}`;
  return { reason, away };
}

function unwritable(map: ClusterMap, record: PgRecord, layout: Layout): Stuck | undefined {
  const { pg, slots } = record;
  // Who is up and not in-sync is being filled, or will be.
  const coming = slots.filter((slot) => isLive(map, slot));
  const needed = writeFloor(layout.geometry);
  if (distinctCount(coming, layout, map) >= needed) return undefined;
  const away = slots.filter((slot) => !isLive(map, slot));
  const reason = `pg ${pg} has ${coming.length} disks up and needs ${needed} to write safely: it waits for ${described(map, away)}`;
  return { reason, away };
}

function described(map: ClusterMap, slots: readonly Slot[]): string {
  if (slots.length === 0) return 'another disk';
  return slots
    .map((slot) => {
      const osd = findOsd(map, slot.osd);
      if (osd === undefined || osd.uuid !== slot.uuid) return `the former disk of osd.${slot.osd}`;
      return `osd.${slot.osd}${osd.destroyed ? ' (destroyed)' : ''}`;
    })
    .join(', ');
}
