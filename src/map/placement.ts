// CRUSH-like placement: distinct failure domains by straw2, then a disk in each, then levelling of the
// number of slots per weight to within one. Computed by the leader alone and written into the PG
// records, so nobody else has to agree on it; still integer arithmetic only, so that a simulation is
// the same everywhere.

import { encodeUtf8 } from '../base/bytes.ts';
import { hashBytes, hashNumbers } from '../base/hash.ts';
import type { OsdId, PgId } from '../base/ids.ts';
import {
  type ClusterMap,
  domainOf,
  type Layout,
  type OsdEntry,
  placementOf,
} from './cluster-map.ts';
import { slotCount } from './geometry.ts';

/** -log2(x / 65536) in 1/65536ths for x from 1 to 65536, by repeated squaring: whole numbers only. */
function negativeLog2(x: number): number {
  let exponent = 0;
  let mantissa = x;
  while (mantissa < 65536) {
    mantissa *= 2;
    exponent++;
  }
  // The mantissa is in [1, 2) with 16 fractional bits; each squaring yields one bit of its logarithm.
  let fraction = 0;
  for (let bit = 1; bit <= 16; bit++) {
    mantissa = Math.floor((mantissa * mantissa) / 65536);
    if (mantissa >= 131072) {
      fraction += 2 ** (16 - bit);
      mantissa = Math.floor(mantissa / 2);
    }
  }
  return exponent * 65536 - fraction;
}

/** The straw2 draw: the smallest wins, in proportion to weight, and weights of others never matter. */
function straw(hash: number, weight: number): number {
  return Math.floor((negativeLog2((hash & 0xffff) + 1) * 2 ** 20) / weight);
}

interface Candidate {
  readonly osd: OsdEntry;
  readonly domain: string;
}

function isCandidate(osd: OsdEntry, layout: Layout): boolean {
  const { deviceClass } = placementOf(layout).rule;
  return osd.in && !osd.destroyed && (deviceClass ?? osd.deviceClass) === osd.deviceClass;
}

/** Whether slots of the layout may be placed on the disk now. */
export function canPlace(map: ClusterMap, layout: Layout, id: OsdId): boolean {
  return map.osds.some((osd) => osd.id === id && isCandidate(osd, layout));
}

function candidatesOf(map: ClusterMap, layout: Layout): Candidate[] {
  const { failureDomain } = placementOf(layout).rule;
  return map.osds
    .filter((osd) => isCandidate(osd, layout))
    .map((osd) => ({ osd, domain: domainOf(osd, failureDomain) }))
    .sort((a, b) => a.osd.id - b.osd.id);
}

/** Failure domains that the layout could use now. */
export function domainCount(map: ClusterMap, layout: Layout): number {
  return new Set(candidatesOf(map, layout).map((candidate) => candidate.domain)).size;
}

/**
 * Picks a disk outside the domains in use; undefined when every domain is used. The domain is drawn by
 * its whole weight first, so that a host with two disks gets two disks' share.
 */
function pick(
  candidates: readonly Candidate[],
  pg: PgId,
  index: number,
  usedDomains: ReadonlySet<string>,
): Candidate | undefined {
  const seed = hashBytes(encodeUtf8(pg));
  const weights = new Map<string, number>();
  for (const { osd, domain } of candidates)
    if (!usedDomains.has(domain)) weights.set(domain, (weights.get(domain) ?? 0) + osd.weight);
  const domain = smallest([...weights.keys()], (name) =>
    straw(hashNumbers(seed, hashBytes(encodeUtf8(name)), index), weights.get(name) as number),
  );
  const inside = candidates.filter((candidate) => candidate.domain === domain);
  return smallest(inside, ({ osd }) => straw(hashNumbers(seed, osd.id, index, 1), osd.weight));
}

interface Seats {
  readonly pg: PgId;
  readonly candidates: readonly Candidate[];
  readonly byId: ReadonlyMap<OsdId, Candidate>;
  readonly fits: (osd: OsdId, index: number) => boolean;
  /** By shard index; changed. */
  readonly chosen: (OsdId | undefined)[];
  /** Domains of those chosen; changed. */
  readonly used: Set<string>;
}

/**
 * Finds a disk for a place by moving others, each to a domain that is not used yet: what disks hold already may let one
 * place have only a domain that another took (augmenting paths, as in bipartite matching). `tried`: domains looked at
 * for this place; each is looked at once. False, with nothing changed, when there is no way.
 */
function makeRoom(seats: Seats, index: number, tried: Set<string>): boolean {
  const { pg, candidates, byId, fits, chosen, used } = seats;
  const fitting = candidates.filter(({ osd }) => fits(osd.id, index));
  for (const domain of new Set(fitting.map((candidate) => candidate.domain))) {
    if (tried.has(domain)) continue;
    tried.add(domain);
    const holder = chosen.findIndex((id) => id !== undefined && byId.get(id)?.domain === domain);
    if (holder >= 0 && !makeRoom(seats, holder, tried)) continue;
    const inside = fitting.filter((candidate) => candidate.domain === domain);
    chosen[index] = (pick(inside, pg, index, new Set()) as Candidate).osd.id;
    used.add(domain);
    return true;
  }
  return false;
}

/** The first of the items with the least draw. */
function smallest<T>(items: readonly T[], draw: (item: T) => number): T | undefined {
  let best: T | undefined;
  let bestDraw = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const value = draw(item);
    if (value < bestDraw) {
      best = item;
      bestDraw = value;
    }
  }
  return best;
}

/** Disks per PG, by shard index; shorter than the geometry asks when there are too few domains. */
export type Targets = ReadonlyMap<PgId, readonly OsdId[]>;

/** Which shard of a PG a disk holds already, in whatever state. */
export type Held = (pg: PgId, osd: OsdId) => number | undefined;

/**
 * Targets for the PGs of one layout, keeping of `before` what is still valid: a disk that is in, of the
 * class, in a domain of its own. A disk that still holds one shard of a PG is no target for another of
 * it: it would have to give up the one to take the other, and two such disks wait for each other for ever.
 */
export function computeTargets(
  map: ClusterMap,
  layout: Layout,
  pgs: readonly PgId[],
  before: Targets,
  held: Held = () => undefined,
): Targets {
  const candidates = candidatesOf(map, layout);
  const byId = new Map(candidates.map((candidate) => [candidate.osd.id, candidate]));
  const size = slotCount(placementOf(layout).geometry);
  const targets = new Map<PgId, OsdId[]>();
  for (const pg of pgs) {
    const old = before.get(pg) ?? [];
    const used = new Set<string>();
    const fits = (osd: OsdId, index: number): boolean => (held(pg, osd) ?? index) === index;
    const chosen: (OsdId | undefined)[] = Array.from({ length: size }, (_, index) => {
      const candidate = byId.get(old[index] as OsdId);
      if (candidate === undefined || used.has(candidate.domain)) return undefined;
      if (!fits(candidate.osd.id, index)) return undefined;
      used.add(candidate.domain);
      return candidate.osd.id;
    });
    for (let index = 0; index < size; index++) {
      if (chosen[index] !== undefined) continue;
      const fitting = candidates.filter(({ osd }) => fits(osd.id, index));
      const candidate = pick(fitting, pg, index, used);
      if (candidate !== undefined) {
        used.add(candidate.domain);
        chosen[index] = candidate.osd.id;
        continue;
      }
      if (makeRoom({ pg, candidates, byId, fits, chosen, used }, index, new Set())) continue;
      // No domain is left: the old disk stays the wish, so that the PG shows as degraded and not as moved.
      const fallback = old[index];
      if (fallback !== undefined) chosen[index] = fallback;
    }
    // A place that nobody can have ends the list: its index is where it stands in it.
    const end = chosen.indexOf(undefined);
    targets.set(pg, (end < 0 ? chosen : chosen.slice(0, end)) as OsdId[]);
  }
  level(targets, byId, held);
  return targets;
}

/**
 * The target with each disk that can't be used replaced by one that can, in a domain of its own, where there is
 * one. `held`: which place of the PG a disk has already; it takes no other.
 */
export function replaceAbsent(
  map: ClusterMap,
  layout: Layout,
  place: {
    readonly pg: PgId;
    readonly target: readonly OsdId[];
    readonly held: (osd: OsdId) => number | undefined;
  },
): readonly OsdId[] {
  const candidates = candidatesOf(map, layout);
  const byId = new Map(candidates.map((candidate) => [candidate.osd.id, candidate]));
  const used = new Set(
    place.target.flatMap((id) => {
      const candidate = byId.get(id);
      return candidate === undefined ? [] : [candidate.domain];
    }),
  );
  return place.target.map((id, index) => {
    if (byId.has(id)) return id;
    const fitting = candidates.filter(({ osd }) => (place.held(osd.id) ?? index) === index);
    const standIn = pick(fitting, place.pg, index, used);
    if (standIn === undefined) return id;
    used.add(standIn.domain);
    return standIn.osd.id;
  });
}

/**
 * Moves single slots from the fullest disk for its weight to the emptiest, until no move brings the two
 * closer. Each move lowers the spread; twice as many as there are slots and disks is more than was ever needed.
 */
function level(targets: Map<PgId, OsdId[]>, byId: ReadonlyMap<OsdId, Candidate>, held: Held): void {
  const counts = new Map<OsdId, number>([...byId.keys()].map((id) => [id, 0]));
  let slots = 0;
  for (const osds of targets.values())
    for (const osd of osds) {
      if (!counts.has(osd)) continue;
      counts.set(osd, (counts.get(osd) as number) + 1);
      slots++;
    }
  const movesMax = 2 * (slots + counts.size);
  for (let moves = 0; moves < movesMax; moves++)
    if (!moveOne({ targets, byId, held }, counts)) return;
}

function moveOne(
  {
    targets,
    byId,
    held,
  }: {
    targets: ReadonlyMap<PgId, OsdId[]>;
    byId: ReadonlyMap<OsdId, Candidate>;
    held: Held;
  },
  counts: Map<OsdId, number>,
): boolean {
  const load = (id: OsdId, extra: number): number =>
    ((counts.get(id) as number) + extra) / (byId.get(id) as Candidate).osd.weight;
  const ascending = [...counts.keys()].sort((a, b) => load(a, 0) - load(b, 0) || a - b);
  for (const from of [...ascending].reverse())
    for (const to of ascending) {
      // A move helps only when the receiver stays below where the giver was.
      if (load(to, 1) >= load(from, 0)) continue;
      // Not from a disk that is there to one that is away: it would be missed at once.
      if (byId.get(from)?.osd.up === true && byId.get(to)?.osd.up !== true) continue;
      const target = byId.get(to) as Candidate;
      for (const [pg, osds] of targets) {
        const at = osds.indexOf(from);
        if (at < 0 || (held(pg, to) ?? at) !== at) continue;
        const clash = osds.some(
          (osd, index) => index !== at && byId.get(osd)?.domain === target.domain,
        );
        if (clash) continue;
        osds[at] = to;
        counts.set(from, (counts.get(from) as number) - 1);
        counts.set(to, (counts.get(to) as number) + 1);
        return true;
      }
    }
  return false;
}
