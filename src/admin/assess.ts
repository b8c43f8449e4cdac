// What the monitor knows, turned into what people are shown. Pure. A slot counts as live only when its
// disk is the one the map names and is up: a record that still calls a wiped disk in-sync fools nobody.

import type { OsdId, PgId } from '../base/ids.ts';
import { comparePgIds, parsePgId } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import {
  activeLayout,
  type ClusterMap,
  findLayout,
  type Layout,
  type OsdEntry,
  type Pool,
  pgIdsOf,
  placementOf,
} from '../map/cluster-map.ts';
import { formatGeometry, slotCount } from '../map/geometry.ts';
import {
  beginnerOf,
  hasRecordFloor,
  hasWriteFloor,
  isClean,
  isPlacedByNext,
  isWhole,
  type PgRecord,
  type Slot,
} from '../map/pg-record.ts';
import type { HeardPgReport, MonitorKnowledge } from './control.ts';
import { computeMargin, type Margin, smallerMargin } from './margin.ts';
import type {
  ChangeView,
  HandoverView,
  LayoutView,
  MigrationView,
  OsdView,
  PgLossView,
  PgView,
  PoolView,
} from './views.ts';

/** Primaries report each second; a word older than this says nothing about now. */
const reportLifeMs = 5000;

export interface Assessment {
  readonly pgs: readonly PgView[];
  readonly osds: readonly OsdView[];
  readonly pools: readonly PoolView[];
}

export function assess(knowledge: MonitorKnowledge, now: Instant): Assessment {
  const { map } = knowledge;
  const pgs = [...knowledge.records.values()]
    .map((record) => assessPg(knowledge, record, now))
    .filter((view) => view !== undefined);
  // As a rule they are in their order already, and there are thousands.
  const isSorted = pgs.every(
    ({ pg }, at) => at === 0 || comparePgIds(pgs[at - 1]?.pg ?? '', pg) <= 0,
  );
  if (!isSorted) pgs.sort((a, b) => comparePgIds(a.pg, b.pg));
  return {
    pgs,
    osds: map.osds.map((osd) => assessOsd(knowledge, osd, pgs)).sort((a, b) => a.id - b.id),
    pools: map.pools
      .filter((pool) => pool.removedWallMs === 0)
      .map((pool) => assessPool(knowledge, pool, pgs)),
  };
}

function assessPg(knowledge: MonitorKnowledge, record: PgRecord, now: Instant): PgView | undefined {
  const { map } = knowledge;
  const { pool: poolId, layout: layoutId } = parsePgId(record.pg);
  const pool = map.pools.find((each) => each.id === poolId);
  const layout = findLayout(map, poolId, layoutId);
  if (pool === undefined || layout === undefined) return undefined;
  const primary = map.osds.find((osd) => osd.uuid === record.primary);
  const report = currentReport(knowledge, record, primary, now);
  const live = record.slots.filter((slot) => slot.state === 'in-sync' && isLive(map, slot));
  const serving = report?.serving === true;
  return {
    pg: record.pg,
    pool: pool.name,
    geometry: formatGeometry(layout.geometry),
    draining: layout.drainingSince !== undefined,
    state: stateOf({ record, layout, live, serving, report }),
    serving,
    handedOver: knowledge.isHandedOver(record.pg),
    writable: serving && hasWriteFloor(record, layout, map),
    clean: isClean(record, layout) && live.length === record.slots.length,
    primary: primary?.id ?? null,
    slots: record.slots.map((slot) => ({
      osd: slot.osd,
      index: slot.index,
      state: slot.state,
      live: isLive(map, slot),
    })),
    target: record.target,
    objects: report?.objects ?? 0,
    bytes: report?.bytes ?? 0,
    missing: report?.missing ?? 0,
    damaged: report?.damaged ?? 0,
    waiting: report === undefined ? 'a word from its primary' : report.waiting,
    scrubbing: report?.scrubbing === true,
    scrubbedMs: report?.scrubbedWallMs ?? null,
    deepScrubbedMs: report?.deepScrubbedWallMs ?? null,
    margin: computeMargin(live, layout, map),
    lost: lossOf(map, record.pg),
  };
}

function lossOf(map: ClusterMap, pg: PgId): PgLossView | null {
  const loss = map.losses.find((each) => each.pg === pg);
  if (loss === undefined) return null;
  return { kind: loss.kind, acceptedMs: loss.wallMs, acceptedBy: loss.acceptedBy };
}

/** The report of the OSD that is primary now, when it is alive and the report is not old. */
function currentReport(
  knowledge: MonitorKnowledge,
  record: PgRecord,
  primary: OsdEntry | undefined,
  now: Instant,
): HeardPgReport | undefined {
  const report = knowledge.reportOf(record.pg);
  if (report === undefined || primary === undefined || !primary.up) return undefined;
  if (report.osd !== primary.id || now - report.at > reportLifeMs) return undefined;
  return knowledge.sightOf(primary)?.heard === true ? report : undefined;
}

function isLive(map: ClusterMap, slot: Slot): boolean {
  return map.osds.some((osd) => osd.uuid === slot.uuid && osd.up && !osd.destroyed);
}

interface PgFacts {
  readonly record: PgRecord;
  readonly layout: Layout;
  readonly live: readonly Slot[];
  readonly serving: boolean;
  readonly report: HeardPgReport | undefined;
}

function stateOf({ record, layout, live, serving, report }: PgFacts): string {
  const slots = slotCount(placementOf(layout).geometry);
  const whole = isWhole(record, layout) && live.length >= slots;
  const words: string[] = [];
  if (serving) words.push('active');
  else if (beginnerOf(record) !== undefined)
    words.push(beginnerOf(record)?.state === 'founding' ? 'creating' : 'salvaging');
  else words.push(hasRecordFloor(live, layout) ? 'peering' : 'down');
  if (whole && isClean(record, layout)) words.push('clean');
  else if (!whole) {
    words.push('degraded');
    if (record.target.length < slots) words.push('undersized');
  } else words.push('remapped');
  if (serving && record.slots.some((slot) => slot.state === 'joining')) words.push('recovering');
  if ((report?.damaged ?? 0) > 0) words.push('inconsistent');
  if (report?.scrubbing === true) words.push('scrubbing');
  return words.join('+');
}

function assessOsd(knowledge: MonitorKnowledge, osd: OsdEntry, pgs: readonly PgView[]): OsdView {
  const sight = knowledge.sightOf(osd);
  return {
    id: osd.id,
    uuid: osd.uuid,
    host: osd.host,
    deviceClass: osd.deviceClass,
    weight: osd.weight,
    up: osd.up,
    in: osd.in,
    destroyed: osd.destroyed,
    wiped: osd.wiped,
    address: osd.address,
    capacityBytes: sight?.usage.capacityBytes ?? osd.capacityBytes,
    usedBytes: sight?.usage.usedBytes ?? 0,
    pgs: pgs.filter((pg) => pg.slots.some((slot) => slot.osd === (osd.id as OsdId))).length,
    primaries: pgs.filter((pg) => pg.primary === osd.id).length,
    failure: sight?.failure ?? '',
    stopped: sight?.stopped ?? [],
    refusedMap: sight?.refusedMap ?? '',
    memory: sight?.memory ?? null,
  };
}

function sum(pgs: readonly PgView[], measure: (pg: PgView) => number): number {
  return pgs.reduce((total, pg) => total + measure(pg), 0);
}

function assessPool(knowledge: MonitorKnowledge, pool: Pool, pgs: readonly PgView[]): PoolView {
  const layout = activeLayout(pool);
  const own = pgs.filter((pg) => pg.pool === pool.name);
  const layouts = pool.layouts.map((each) => assessLayout(each, own));
  const handover = assessHandover(knowledge, pool);
  return {
    id: pool.id,
    name: pool.name,
    geometry: formatGeometry(layout.geometry),
    failureDomain: layout.rule.failureDomain,
    deviceClass: layout.rule.deviceClass ?? null,
    pgs: own.length,
    objects: sum(own, (pg) => pg.objects),
    bytes: sum(own, (pg) => pg.bytes),
    inlineBytesMax: pool.inlineBytesMax,
    margin: worstMargin(own.map((pg) => pg.margin)),
    layouts,
    // What is left in the old layout when all names have gone is blobs, or nothing.
    migration:
      layouts.length > 1 && handover === null ? assessMigration(knowledge, pool, layouts) : null,
    handover,
    change: assessChange(knowledge, pool, layout),
  };
}

function assessHandover(knowledge: MonitorKnowledge, pool: Pool): HandoverView | null {
  const old = pool.layouts.find((each) => each.drainingSince !== undefined);
  if (pool.turn === 0 || old === undefined) return null;
  const done = pgIdsOf(pool, old).filter((pg) => {
    const report = knowledge.reportOf(pg);
    return report?.rows === false && report.epoch >= (old.drainingSince ?? 0);
  });
  if (done.length === old.pgCount) return null;
  return {
    fromPgs: old.pgCount,
    toPgs: activeLayout(pool).pgCount,
    pgsDone: done.length,
    isPaused: pool.migration === 'paused',
  };
}

function assessChange(
  { map, records }: MonitorKnowledge,
  pool: Pool,
  layout: Layout,
): ChangeView | null {
  if (layout.next === undefined) return null;
  const { geometry, rule } = layout.next;
  const pgs = pgIdsOf(pool, layout);
  const done = pgs.filter((pg) => {
    const record = records.get(pg);
    return record !== undefined && isPlacedByNext(record, layout, map);
  });
  return {
    geometry: formatGeometry(geometry),
    failureDomain: rule.failureDomain,
    deviceClass: rule.deviceClass ?? null,
    pgsDone: done.length,
    pgs: pgs.length,
  };
}

function assessLayout(layout: Layout, pgs: readonly PgView[]): LayoutView {
  const own = pgs.filter((pg) => parsePgId(pg.pg as PgId).layout === layout.id);
  return {
    id: layout.id,
    geometry: formatGeometry(layout.geometry),
    failureDomain: layout.rule.failureDomain,
    deviceClass: layout.rule.deviceClass ?? null,
    purpose: layout.purpose,
    state: layout.drainingSince === undefined ? 'active' : 'draining',
    pgs: own.length,
    objects: sum(own, (pg) => pg.objects),
    bytes: sum(own, (pg) => pg.bytes),
  };
}

/** Two rounds over all indexes: one may have begun before the last writer of a draining layout ended. */
const cleanPassesEnough = 2;

function assessMigration(
  knowledge: MonitorKnowledge,
  pool: Pool,
  layouts: readonly LayoutView[],
): MigrationView {
  const word = knowledge.migrationOf(pool);
  const leftBytes = layouts
    .filter(({ state }) => state === 'draining')
    .reduce((total, { bytes }) => total + bytes, 0);
  const tookMs = word === undefined ? 0 : word.at - word.firstAt;
  const movedSince = word === undefined ? 0 : word.movedBytes - word.firstMovedBytes;
  const bytesPerSecond = tookMs < 1000 ? 0 : Math.round((movedSince * 1000) / tookMs);
  const isMoved = (word?.cleanPasses ?? 0) >= cleanPassesEnough || leftBytes === 0;
  const isHeld = activeLayout(pool).purpose === 'interim';
  return {
    state: isHeld ? 'held' : pool.migration,
    leftBytes,
    movedBytes: word?.movedBytes ?? 0,
    movedBlobs: word?.movedBlobs ?? 0,
    bytesPerSecond,
    isMoved: isMoved && !isHeld,
    secondsLeft: bytesPerSecond === 0 ? null : Math.ceil(leftBytes / bytesPerSecond),
    bytesPerSecondMax: pool.migrationBytesPerSecond,
    trouble: word?.trouble ?? '',
  };
}

/** Of nothing: no margin. */
export function worstMargin(margins: readonly Margin[]): Margin {
  const [first, ...others] = margins;
  return first === undefined ? { writes: 0, reads: 0 } : others.reduce(smallerMargin, first);
}
