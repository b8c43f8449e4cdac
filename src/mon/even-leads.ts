// Who leads, evened out: a disk that was away leads nothing when it is back, since its groups were given to others
// and nothing takes them back. While everything is well, one group after the other gets another of its disks as its
// primary, until no move makes the disks more alike. A move costs the group some milliseconds (rule 10).

import type { OsdId, PgId, Uuid } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import type { ClusterMap, OsdEntry } from '../map/cluster-map.ts';
import { isClean, nextRecord, type PgRecord, slotsIn } from '../map/pg-record.ts';
import { countLeads, layoutOf } from './planner.ts';
import { RecordTable } from './record-table.ts';
import type { MonState } from './state.ts';

/** A disk that came up is asked to lead when it has stayed for so long, in milliseconds. */
export const steadyMsDefault = 60_000;

/** Between two looks, each of which moves one at most. */
const moveMs = 1000;

/**
 * The record whose lead moves next, led from the other disk; undefined when none should: they are even, something is
 * not whole, or a disk is away. `mayLead`: the group, on that disk. Every move makes two disks more alike, so that there is
 * an end.
 */
export function evenLead(
  map: ClusterMap,
  records: MonState['records'],
  mayLead: (osd: OsdEntry, pg: PgId) => boolean,
  nonce: () => string,
): PgRecord | undefined {
  const taking = map.osds.filter((osd) => osd.in && !osd.destroyed);
  if (taking.some((osd) => !osd.up)) return undefined;
  const leads = countLeads(map, records);
  const ledBy = (osd: OsdId): number => leads.get(osd) ?? 0;
  const entries = new Map(taking.map((osd) => [osd.uuid, osd]));
  let best: { readonly gain: number; readonly record: PgRecord; readonly to: Uuid } | undefined;
  for (const record of records.values()) {
    const layout = layoutOf(map, record.pg);
    if (layout === undefined || !isClean(record, layout)) return undefined;
    const lead = record.slots.find(({ uuid }) => uuid === record.primary);
    if (lead === undefined) return undefined;
    for (const slot of slotsIn(record, 'in-sync')) {
      const gain = ledBy(lead.osd) - ledBy(slot.osd);
      const osd = entries.get(slot.uuid);
      if (gain < 2 || gain <= (best?.gain ?? 0) || osd === undefined) continue;
      if (!mayLead(osd, record.pg)) continue;
      best = { gain, record, to: slot.uuid };
    }
  }
  return best && nextRecord(best.record, { primary: best.to }, nonce());
}

/** Who is asked to lead says that it does within so long: a promise, and the next beacon. */
const handOverMs = 3000;

/** When to look. */
export class LeadEvener {
  readonly #steadyMs: number;
  readonly #upSince = new Map<OsdId, Instant>();
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Groups whose lead moved a moment ago, and when. */
  readonly #moved = new Map<PgId, Instant>();

  constructor(steadyMs: number) {
    this.#steadyMs = steadyMs;
  }

  /**
   * To be called with each look at the disks, more often than once a second. The change to make, if there is one.
   * `isStopped`: the disk says that it can't start the group. Asked to lead, it would hand it on at once, and whoever
   * leads then would never get to the end of its patience with that disk, and let it go.
   */
  look(
    { map, records }: MonState,
    now: Instant,
    {
      nonce,
      isStopped,
    }: { readonly nonce: () => string; readonly isStopped: (disk: Uuid, pg: PgId) => boolean },
  ): ((state: MonState) => MonState) | undefined {
    for (const osd of map.osds) {
      if (!osd.up) this.#upSince.delete(osd.id);
      else if (!this.#upSince.has(osd.id)) this.#upSince.set(osd.id, now);
    }
    if (now - this.#lookedAt < moveMs) return undefined;
    this.#lookedAt = now;
    const mayLead = (osd: OsdEntry, pg: PgId): boolean =>
      now - (this.#upSince.get(osd.id) ?? now) >= this.#steadyMs && !isStopped(osd.uuid, pg);
    const next = evenLead(map, records, mayLead, nonce);
    if (next === undefined) return undefined;
    for (const [pg, at] of this.#moved) if (now - at >= handOverMs) this.#moved.delete(pg);
    this.#moved.set(next.pg, now);
    const before = records.get(next.pg);
    // What happened meanwhile comes first: to the group, or to the disk, which may have been called down.
    return (state) =>
      state.map === map && state.records.get(next.pg) === before
        ? { ...state, records: RecordTable.of(state.records).with([next]) }
        : state;
  }

  /** Its lead was moved so lately that nobody may have said yet that it is served. */
  isMoving(pg: PgId, now: Instant): boolean {
    return now - (this.#moved.get(pg) ?? Number.NEGATIVE_INFINITY) < handOverMs;
  }
}
