// How many more failure domains may be lost. Pure arithmetic over the in-sync slots of one PG: the worst
// domains go first, so that the answer holds for any choice.

import { type ClusterMap, domainOf, findOsd, type Layout } from '../map/cluster-map.ts';
import { recordFloor, writeFloor } from '../map/geometry.ts';
import type { Slot } from '../map/pg-record.ts';

export interface Margin {
  /** Domains that may go with writes still taken; below zero: they are not now. */
  readonly writes: number;
  /** Domains that may go with everything still readable; below zero: it is not now. */
  readonly reads: number;
}

export function computeMargin(slots: readonly Slot[], layout: Layout, map: ClusterMap): Margin {
  const sizes = domainSizes(slots, layout, map);
  const { geometry } = layout;
  return {
    writes: losable(sizes, writeFloor(geometry), (left) => left.length),
    reads: losable(sizes, recordFloor(geometry), (left) =>
      left.reduce((sum, size) => sum + size, 0),
    ),
  };
}

/** Shards that are apart from each other, by failure domain, the largest domain first. */
function domainSizes(slots: readonly Slot[], layout: Layout, map: ClusterMap): number[] {
  const isErasure = layout.geometry.kind === 'erasure';
  const seen = new Set<number>();
  const domains = new Map<string, number>();
  for (const slot of slots) {
    // The same shard twice is worth one.
    if (isErasure && seen.has(slot.index)) continue;
    seen.add(slot.index);
    const osd = findOsd(map, slot.osd);
    const domain = osd === undefined ? slot.uuid : domainOf(osd, layout.rule.failureDomain);
    domains.set(domain, (domains.get(domain) ?? 0) + 1);
  }
  return [...domains.values()].sort((a, b) => b - a);
}

/** How many of the largest may go before `worth` of the rest falls below the floor. */
function losable(
  sizes: readonly number[],
  floor: number,
  worth: (left: readonly number[]) => number,
): number {
  if (worth(sizes) < floor) return worth(sizes) - floor;
  let count = 0;
  while (count < sizes.length && worth(sizes.slice(count + 1)) >= floor) count++;
  return count;
}

export function smallerMargin(a: Margin, b: Margin): Margin {
  return { writes: Math.min(a.writes, b.writes), reads: Math.min(a.reads, b.reads) };
}
