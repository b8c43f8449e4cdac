// What must hold at every step of a run, whatever is broken at the moment. Looked at after each event:
//
// - at most one OSD serves a PG (rules 6 to 9, 13)
// - what is committed is held by enough slots for one more failure (rules 2 and 14)
// - an in-sync slot holds everything that was committed (rules 1, 17, 19)
//
// - no daemon holds more than its budget (promise P6)
//
// and at each change of a PG record as the monitor keeps it:
//
// - versions and tenures only rise (rule 12)
// - in-sync never falls below the record floor (rule 15)
// - only an in-sync slot is the primary
// - who becomes in-sync was joining and misses nothing (rule 17)
// - nobody is said to hold everything who left before something could be acknowledged (rule 14)
// - while its layout changes in place, no PG gives up a slot before it has as much elsewhere
//
// and at each change of the map, that what a layout has come to promise each of its PGs has
//
// The checker sees all daemons at once, which no daemon does.

import { type PgId, parsePgId } from '../base/ids.ts';
import { memoryBudgetBytesDefault, memoryShares } from '../base/memory-budget.ts';
import {
  type ClusterMap,
  findLayout,
  findOsd,
  isRetired,
  type Layout,
  pgIdsOf,
} from '../map/cluster-map.ts';
import { formatGeometry, slotCount } from '../map/geometry.ts';
import {
  beginnerOf,
  distinctCount,
  hasRecordFloor,
  hasWriteFloor,
  type PgRecord,
  slotOf,
  slotsIn,
} from '../map/pg-record.ts';
import { settingOf } from '../map/settings.ts';
import { isSamePlacement } from '../mon/layouts.ts';
import { layoutOf } from '../mon/planner.ts';
import type { Primary } from '../osd/primary.ts';
import type { SimulatedCluster, SimulatedOsd } from './simulated-cluster.ts';

interface Watched {
  record: PgRecord;
  /** As it was when the PG was first seen: a layout never changes, unless somebody edits the map by hand. */
  readonly layout: Layout | undefined;
  /** The highest sequence that any primary of the PG called committed. */
  committed: number;
  /** The step at which a primary of it was last seen: another one at the same step makes two. */
  ledAtStep: number;
  /** Its record is another than at the step before: its heads are looked at now. */
  hasChanged: boolean;
}

/** Of a daemon's budget the engine itself takes so much. */
const engineBytes = 64 * 1024 * 1024;

/** Between two looks at memory, in events. */
const memoryEvery = 256;

/** Between two looks at heads, in events: each costs a few microseconds, and a lost tail stays lost. */
const headsEvery = 8;

export class Invariants {
  readonly problems: string[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #watched = new Map<PgId, Watched>();
  #records: ReadonlyMap<PgId, PgRecord> | undefined;
  #map: ClusterMap | undefined;
  /** Some record is another than at the step before. */
  #haveChanged = false;
  #steps = 0;
  /** The most that any daemon held at once. */
  heldBytesMost = 0;

  readonly #heldBytesMax: number;
  readonly #bodiesBytesMax: number;

  constructor(cluster: SimulatedCluster, memoryBudgetBytes: number = memoryBudgetBytesDefault) {
    this.#cluster = cluster;
    this.#heldBytesMax = memoryBudgetBytes - engineBytes;
    this.#bodiesBytesMax = memoryShares(memoryBudgetBytes).bodiesBytes;
  }

  /** Call after each event. */
  check(): void {
    if (this.problems.length > 0) return;
    const cluster = this.#cluster;
    if (cluster.hasMonitor && cluster.monitor.records !== this.#records) {
      this.#records = cluster.monitor.records;
      this.#checkRecords(this.#records);
    }
    if (cluster.hasMonitor && cluster.monitor.map !== this.#map) {
      if (this.#map !== undefined) this.#checkPromises(this.#map, cluster.monitor.map);
      this.#map = cluster.monitor.map;
    }
    this.#steps++;
    if (this.#steps % memoryEvery === 0) this.#checkMemory();
    const looksAtHeads = this.#steps % headsEvery === 0;
    this.#checkPrimaries();
    if (!looksAtHeads && !this.#haveChanged) return;
    this.#haveChanged = false;
    for (const [pg, watched] of this.#watched) {
      if (looksAtHeads || watched.hasChanged) this.#checkHeads(pg, watched);
      watched.hasChanged = false;
    }
  }

  #checkMemory(): void {
    for (const { id, osd } of this.#cluster.osds) {
      if (osd === undefined) continue;
      const { store, requests, shards } = osd.heldBytes;
      const held = store + requests + shards;
      this.heldBytesMost = Math.max(this.heldBytesMost, held);
      if (held > this.#heldBytesMax)
        this.#problem(`osd.${id} holds ${held} bytes: ${JSON.stringify(osd.heldBytes)}`);
    }
    for (const { name, process, load } of this.#cluster.gateways) {
      const held = process.isAlive ? (load?.().bufferedBytes ?? 0) : 0;
      this.heldBytesMost = Math.max(this.heldBytesMost, held);
      if (held > this.#bodiesBytesMax) this.#problem(`${name} holds ${held} bytes of bodies`);
    }
  }

  #problem(what: string): void {
    this.problems.push(`at ${this.#cluster.scheduler.now().toFixed(1)} ms: ${what}`);
  }

  /** Those that there are, instead of asking each OSD for each PG: this is done after every event. */
  #checkPrimaries(): void {
    for (const { osd } of this.#cluster.osds) {
      if (osd === undefined) continue;
      for (const primary of osd.primaries) {
        const watched = this.#watched.get(primary.pg);
        if (watched === undefined) continue;
        // Whether one serves costs more to ask than all the rest.
        if (watched.ledAtStep === this.#steps) this.#checkServers(primary.pg);
        watched.ledAtStep = this.#steps;
        if (primary.committed <= watched.committed) continue;
        this.#checkFloor(primary);
        watched.committed = primary.committed;
      }
    }
  }

  #checkServers(pg: PgId): void {
    let serving: SimulatedOsd | undefined;
    for (const osd of this.#cluster.osds) {
      const primary = osd.osd?.primaryOf(pg);
      if (primary?.isServing !== true) continue;
      // By its clocks alone nobody serves where reads are confirmed (rule 11): who is answered is checked by what it was told.
      if (serving !== undefined && settingOf(this.#map, 'confirm_reads') === 0)
        this.#problem(
          `${pg} is served by osd.${serving.id} (${serving.osd?.primaryOf(pg)?.describe()}) and osd.${osd.id} (${primary.describe()})`,
        );
      serving = osd;
    }
  }

  /** Nothing is acknowledged that one more failure could lose (rules 2 and 14). */
  #checkFloor(primary: Primary): void {
    const { map } = primary.world.mon;
    if (map === undefined || hasWriteFloor(primary.record, primary.layout, map)) return;
    this.#problem(`${primary.pg}: committed ${primary.committed} below the write floor`);
  }

  #checkHeads(pg: PgId, watched: Watched): void {
    for (const slot of watched.record.slots) {
      if (slot.state !== 'in-sync' || slot.uuid === this.#cluster.oldDisk) continue;
      const member = this.#cluster.osdOf(slot.uuid)?.osd?.memberOf(pg);
      if (member === undefined || member.disk.head.sequence >= watched.committed) continue;
      // Of a layout that is over: a disk that was away has its groups until it hears so.
      if (this.#map !== undefined && isRetired(pg, this.#map)) continue;
      this.#problem(
        `${pg}: osd.${slot.osd} is in-sync with head ${member.disk.head.sequence}, committed is ${watched.committed}`,
      );
    }
  }

  #checkRecords(records: ReadonlyMap<PgId, PgRecord>): void {
    for (const [pg, record] of records) {
      const watched = this.#watched.get(pg);
      if (watched === undefined) {
        const layout = layoutOf(this.#cluster.monitor.map, pg);
        // Of a group that there is not: somebody's hand made it.
        if (layout !== undefined && parsePgId(pg).index >= layout.pgCount) continue;
        this.#watched.set(pg, { record, layout, committed: 0, ledAtStep: 0, hasChanged: false });
        continue;
      }
      if (watched.record === record) continue;
      this.#checkChange(watched, record);
      if (beginnerOf(record) !== undefined) watched.committed = 0;
      watched.record = record;
      watched.hasChanged = true;
      this.#haveChanged = true;
    }
  }

  /** What a layout promises has changed in place: each of its PGs has it. */
  #checkPromises(before: ClusterMap, after: ClusterMap): void {
    for (const pool of after.pools)
      for (const layout of pool.layouts) {
        const was = findLayout(before, pool.id, layout.id);
        // Under the same revision a person has edited the map.
        if (was === undefined || was.revision >= layout.revision) continue;
        if (isSamePlacement(was, layout)) continue;
        for (const pg of pgIdsOf(pool, layout)) {
          const record = this.#cluster.monitor.records.get(pg);
          const inSync = record === undefined ? [] : slotsIn(record, 'in-sync');
          const apart = distinctCount(inSync, layout, after);
          if (apart < slotCount(layout.geometry))
            this.#problem(
              `${pg}: ${formatGeometry(layout.geometry)} by ${layout.rule.failureDomain} is promised, and it is in ${apart} domains`,
            );
        }
      }
  }

  /** By changes of its layout a PG never comes to less than it was promised. */
  #checkLeaving(before: PgRecord, after: PgRecord): void {
    const { map } = this.#cluster.monitor;
    const layout = layoutOf(map, after.pg);
    if (layout === undefined) return;
    if (after.slots.some(({ state }) => state === 'eligible') && hasWriteFloor(after, layout, map))
      this.#problem(`${after.pg}: above the write floor, with slots that hold everything aside`);
    if (layout.next === undefined) return;
    const left = slotsIn(before, 'in-sync').filter(({ osd, uuid }) => {
      const entry = findOsd(map, osd);
      return slotOf(after, uuid) === undefined && entry?.uuid === uuid && !entry.destroyed;
    });
    const apart = distinctCount(slotsIn(after, 'in-sync'), layout, map);
    if (left.length > 0 && apart < slotCount(layout.geometry))
      this.#problem(
        `${after.pg}: osd.${left[0]?.osd} left it in ${apart} domains while its layout changes from ${formatGeometry(layout.geometry)}`,
      );
  }

  #checkChange({ record: before, layout }: Watched, after: PgRecord): void {
    const { pg } = after;
    if (this.#cluster.recordInHand === pg) return;
    if (before.version === after.version && before.nonce === after.nonce) return;
    if (after.version <= before.version)
      this.#problem(`${pg}: version ${after.version} came after ${before.version}`);
    if (after.tenure < before.tenure)
      this.#problem(`${pg}: tenure ${after.tenure} came after ${before.tenure}`);
    const inSync = slotsIn(after, 'in-sync');
    // After a loss that was accepted it begins from one disk.
    const begins = beginnerOf(after);
    const wasLost =
      begins !== undefined ||
      beginnerOf(before) !== undefined ||
      (layout !== undefined && !hasRecordFloor(slotsIn(before, 'in-sync'), layout));
    if (layout !== undefined && !wasLost && !hasRecordFloor(inSync, layout))
      this.#problem(`${pg}: only ${inSync.length} in-sync, below the record floor`);
    if (!wasLost && !this.#cluster.hasEditedLayout) this.#checkLeaving(before, after);
    const lead = after.primary === undefined ? undefined : slotOf(after, after.primary);
    const mayLead = lead?.state === 'in-sync' || (begins !== undefined && lead === begins);
    if (after.primary !== undefined && !mayLead)
      this.#problem(`${pg}: the primary is ${lead?.state ?? 'no slot'}`);
    for (const slot of inSync) {
      if (slotOf(before, slot.uuid)?.state === 'in-sync') continue;
      const disk = this.#cluster.osdOf(slot.uuid)?.osd?.memberOf(pg)?.disk;
      if (disk !== undefined && !disk.isComplete)
        this.#problem(
          `${pg}: osd.${slot.osd} became in-sync though it misses ${disk.missingCount} blobs`,
        );
    }
  }
}
