// The answer to `what-if`: what a command would do to the data, pool by pool, judged by the same function as the
// command itself. Pure.

import type { OsdId } from '../base/ids.ts';
import {
  activeLayout,
  type ClusterMap,
  findOsd,
  type Pool,
  placementOf,
} from '../map/cluster-map.ts';
import { formatGeometry, slotCount } from '../map/geometry.ts';
import { domainCount } from '../map/placement.ts';
import { type Fate, fatesOf, type Going, lossesOfDestroying, type PgFate } from '../map/what-if.ts';
import type { Assessment } from './assess.ts';
import type { MonitorKnowledge } from './control.ts';
import { lossToken } from './loss.ts';
import type { WhatIfPool, WhatIfView } from './views.ts';

export const whatIfCommands = ['destroy', 'out', 'down', 'full'] as const;
export type WhatIfCommand = (typeof whatIfCommands)[number];

const goingOf: Readonly<Record<WhatIfCommand, Going | undefined>> = {
  destroy: 'destroyed',
  down: 'away',
  // Out moves data while all copies are there; full only refuses writes.
  out: undefined,
  full: undefined,
};

/** What was decided on, as the operator names it. */
export function nameOfDestroying(ids: ReadonlySet<OsdId>): string {
  const names = [...ids].sort((a, b) => a - b).map((id) => `osd.${id}`);
  return `destroying ${names.join(' ')}`;
}

export function answerWhatIf(
  knowledge: MonitorKnowledge,
  assessment: Assessment,
  command: WhatIfCommand,
  ids: ReadonlySet<OsdId>,
): WhatIfView {
  const { map, records } = knowledge;
  const going = goingOf[command];
  const fates = going === undefined ? [] : fatesOf(map, records.values(), ids, going);
  const losses = command === 'destroy' ? lossesOfDestroying(knowledge, ids) : [];
  const sorted = [...ids].sort((a, b) => a - b);
  return {
    command,
    osds: sorted,
    pools: map.pools
      .filter((pool) => pool.removedWallMs === 0)
      .map((pool) => poolAnswer(pool, fates, assessment)),
    writesRefused:
      command === 'full'
        ? assessment.pgs
            .filter((pg) => pg.slots.some((slot) => ids.has(slot.osd as OsdId)))
            .map(({ pg }) => pg)
        : [],
    losses,
    token: losses.length === 0 ? null : lossToken(nameOfDestroying(ids), losses),
    ...move(command, map, assessment, ids),
    advice: advise(command, map, fates, sorted),
  };
}

function poolAnswer(pool: Pool, fates: readonly PgFate[], assessment: Assessment): WhatIfPool {
  const own = new Map(
    fates.filter(({ pg }) => pg.startsWith(`${pool.id}.`)).map((each) => [each.pg as string, each]),
  );
  const pgs = assessment.pgs.filter((pg) => own.has(pg.pg));
  const of = (fate: Fate): { pgs: number; objects: number; bytes: number } => {
    const found = pgs.filter((pg) => own.get(pg.pg)?.fate === fate);
    return {
      pgs: found.length,
      objects: found.reduce((sum, { objects }) => sum + objects, 0),
      bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  };
  return {
    name: pool.name,
    geometry: formatGeometry(activeLayout(pool).geometry),
    lost: of('lost'),
    unproven: of('unproven'),
    unavailable: of('unavailable'),
    writesWait: of('writes-wait'),
    lessRedundancy: of('less-redundancy'),
  };
}

/** Bytes that would be made anew, and what there is room for below 85 %. */
function move(
  command: WhatIfCommand,
  map: ClusterMap,
  assessment: Assessment,
  ids: ReadonlySet<OsdId>,
): Pick<WhatIfView, 'bytesToMove' | 'roomBytes' | 'poolsWithoutRoom'> {
  if (command === 'full' || command === 'down')
    return { bytesToMove: 0, roomBytes: 0, poolsWithoutRoom: [] };
  const leaving = assessment.osds.filter((osd) => ids.has(osd.id as OsdId));
  const staying = assessment.osds.filter((osd) => !ids.has(osd.id as OsdId) && osd.up && osd.in);
  return {
    bytesToMove: leaving.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
    roomBytes: Math.floor(
      staying.reduce((sum, osd) => sum + Math.max(0, osd.capacityBytes * 0.85 - osd.usedBytes), 0),
    ),
    poolsWithoutRoom: poolsWithoutRoom(map, ids),
  };
}

/** Pools that could not place all their slots without these OSDs: their data would stay where it is. */
export function poolsWithoutRoom(map: ClusterMap, leaving: ReadonlySet<OsdId>): readonly string[] {
  const without = {
    ...map,
    osds: map.osds.map((osd) => (leaving.has(osd.id) ? { ...osd, in: false } : osd)),
  };
  return map.pools
    .filter((pool) => {
      const layout = activeLayout(pool);
      const { geometry } = placementOf(layout);
      return pool.removedWallMs === 0 && domainCount(without, layout) < slotCount(geometry);
    })
    .map((pool) => `${pool.name} (${formatGeometry(placementOf(activeLayout(pool)).geometry)})`);
}

/** The safe way to the same end, command by command. */
function advise(
  command: WhatIfCommand,
  map: ClusterMap,
  fates: readonly PgFate[],
  ids: readonly OsdId[],
): readonly string[] {
  if (command !== 'destroy' || fates.length === 0) return [];
  const list = ids.join(' ');
  const down = ids.filter((id) => findOsd(map, id)?.up === false);
  const advice: string[] = [];
  if (down.length > 0)
    advice.push(
      `osd.${down.join(', osd.')} is down: start it if it can be started (holdfast osd start ${down.join(' ')}); what it holds may be all there is`,
    );
  const roomless = poolsWithoutRoom(map, new Set(ids));
  if (roomless.length > 0)
    advice.push(
      `add disks first (holdfast osd add), or replace them one at a time: ${roomless.join(', ')} has no other failure domain to move to`,
    );
  else advice.push(`holdfast osd drain ${list}, then holdfast osd destroy ${list}`);
  return advice;
}
