// Which disks that have been down for long are marked out, so that what they held is made anew elsewhere
// (DESIGN section 9). Being out moves data, and moving data is load: a storm of disks that are slow or gone must not
// become a storm of recovery. Pure.

import type { OsdId, PgId } from '../base/ids.ts';
import {
  activeLayout,
  type ClusterMap,
  type DomainLevel,
  domainLevels,
  domainOf,
  type OsdEntry,
} from '../map/cluster-map.ts';
import { slotCount } from '../map/geometry.ts';
import type { PgRecord } from '../map/pg-record.ts';

export interface OutFacts {
  readonly map: ClusterMap;
  readonly records: ReadonlyMap<PgId, PgRecord>;
  /** Down for longer than the setting allows. */
  readonly overdue: readonly OsdEntry[];
  usageOf(
    osd: OsdEntry,
  ): { readonly capacityBytes: number; readonly usedBytes: number } | undefined;
}

export interface OutVerdict {
  readonly out: readonly OsdId[];
  /** Overdue and kept in, and why. */
  readonly held: readonly { readonly osd: OsdId; readonly reason: string }[];
}

/** What is made anew may fill the others up to where health begins to warn. */
const roomShare = 0.85;

export function judgeOut(facts: OutFacts): OutVerdict {
  const out: OsdId[] = [];
  const held: { osd: OsdId; reason: string }[] = [];
  for (const osd of facts.overdue) {
    const reason = reasonToHold(facts, osd);
    if (reason === undefined) out.push(osd.id);
    else held.push({ osd: osd.id, reason });
  }
  return { out, held };
}

function reasonToHold(facts: OutFacts, osd: OsdEntry): string | undefined {
  const { map } = facts;
  const level = smallestLevel(map);
  const away = domainsAway(facts, level);
  const tolerated = smallestRedundancy(map);
  if (away.size > Math.max(1, tolerated))
    return `${away.size} failure domains are away (${[...away].sort().join(', ')}) and some pool can lose only ${tolerated}: this is a storm, and moving data would feed it`;
  if (away.size > 1)
    return `${[...away].sort().join(' and ')} are away at once: one at a time is made anew elsewhere`;
  const above = wholeDomainAbove(map, osd, level);
  if (above !== undefined) return `all of ${above} is away: that is hardly its disks`;
  return roomFault(facts, osd, level);
}

/** The level at which pools spread their slots; the smallest, when they differ. */
function smallestLevel(map: ClusterMap): DomainLevel {
  const used = map.pools.map((pool) => activeLayout(pool).rule.failureDomain);
  return domainLevels.find((level) => used.includes(level)) ?? 'host';
}

/** Domains with disks that are down, but those that were out before and that no record names any more. */
function domainsAway({ map, records }: OutFacts, level: DomainLevel): Set<string> {
  const named = new Set<string>();
  for (const record of records.values()) for (const slot of record.slots) named.add(slot.uuid);
  return new Set(
    map.osds
      .filter((osd) => !osd.destroyed && !osd.up && (osd.in || named.has(osd.uuid)))
      .map((osd) => domainOf(osd, level)),
  );
}

/** How many domains every pool can lose without losing data. */
function smallestRedundancy(map: ClusterMap): number {
  let least = Number.POSITIVE_INFINITY;
  for (const pool of map.pools)
    for (const { geometry } of pool.layouts)
      least = Math.min(least, geometry.kind === 'copies' ? slotCount(geometry) - 1 : geometry.m);
  return least;
}

/** A domain above the failure domain of which everything is down; undefined: none. */
function wholeDomainAbove(map: ClusterMap, osd: OsdEntry, level: DomainLevel): string | undefined {
  for (const above of domainLevels.slice(domainLevels.indexOf(level) + 1)) {
    const name = domainOf(osd, above);
    const inside = map.osds.filter((each) => !each.destroyed && domainOf(each, above) === name);
    const domains = new Set(inside.map((each) => domainOf(each, level)));
    if (domains.size > 1 && inside.every((each) => !each.up)) return name;
  }
  return undefined;
}

function roomFault(facts: OutFacts, osd: OsdEntry, level: DomainLevel): string | undefined {
  const neededBytes = facts.usageOf(osd)?.usedBytes ?? 0;
  let freeBytes = 0;
  for (const each of facts.map.osds) {
    if (!each.up || !each.in || each.destroyed || each.deviceClass !== osd.deviceClass) continue;
    if (domainOf(each, level) === domainOf(osd, level)) continue;
    const usage = facts.usageOf(each);
    if (usage === undefined) continue;
    freeBytes += Math.max(0, usage.capacityBytes * roomShare - usage.usedBytes);
  }
  if (neededBytes <= freeBytes) return undefined;
  return `the others have ${Math.floor(freeBytes)} bytes below 85 %, and ${neededBytes} would have to be made anew`;
}
