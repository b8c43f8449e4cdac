// Is everything as it was promised? A pure function of the assessment. The rule over all others: never
// OK while anything has less redundancy than its geometry promises.

import { activeLayout, type ClusterMap, placementOf } from '../map/cluster-map.ts';
import { formatGeometry, slotCount } from '../map/geometry.ts';
import { domainCount } from '../map/placement.ts';
import type { Assessment } from './assess.ts';
import type { Crash, MonitorKnowledge } from './control.ts';
import type {
  ChangeView,
  Health,
  HealthCheck,
  HealthCode,
  MemoryView,
  OsdView,
  PgView,
  PoolView,
} from './views.ts';

export const nearlyFullPermille = 850;
export const fullPermille = 950;

/** Longer lists help nobody on a terminal; `pg ls` has all. */
const detailMax = 20;

interface Finding {
  readonly code: HealthCode;
  readonly severity: 'WARN' | 'ERR';
  /** What is said when `lines` has any, given how many there are. */
  readonly summary: (count: number) => string;
  readonly lines: readonly string[];
}

export function computeHealth(
  knowledge: MonitorKnowledge,
  assessment: Assessment,
  crashes: readonly Crash[],
): Health {
  const findings = [
    // Causes before what follows from them.
    ...storeFindings(knowledge),
    ...osdFindings(assessment.osds),
    ...stormFindings(knowledge),
    ...pgFindings(assessment.pgs),
    ...poolFindings(knowledge.map),
    ...layoutFindings(assessment.pools),
    notificationFinding(knowledge.notifications),
    crashFinding(crashes),
  ];
  const checks = findings
    .filter((finding) => finding.lines.length > 0)
    .map(asCheck)
    .sort((a, b) => rank(a) - rank(b));
  const worst = checks[0]?.severity;
  return { status: worst === undefined ? 'HEALTH_OK' : `HEALTH_${worst}`, checks };
}

function rank(check: HealthCheck): number {
  return check.severity === 'ERR' ? 0 : 1;
}

function asCheck({ code, severity, summary, lines }: Finding): HealthCheck {
  const more = lines.length - detailMax;
  const detail = lines.slice(0, detailMax);
  if (more > 0) detail.push(`and ${more} more`);
  return { code, severity, summary: summary(lines.length), detail };
}

export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function storeFindings({ frozen, waiting, awaitedWitnesses }: MonitorKnowledge): Finding[] {
  const awaited = awaitedWitnesses.map((id) => `osd.${id}`).join(', ');
  return [
    {
      code: 'MON_STORE_OLD',
      severity: 'ERR',
      summary: () => 'the map store is an older copy: nothing is elected or changed',
      lines:
        frozen === undefined
          ? []
          : [
              frozen,
              `it is restored by itself once ${awaited} told what they know; or name them as missing: holdfast mon restore --without ${awaitedWitnesses.join(' ')}`,
            ],
    },
    {
      code: 'MON_WAITS',
      severity: 'ERR',
      summary: () => 'the monitor has heard too few OSDs since it started: nothing is changed',
      lines: frozen !== undefined || waiting === undefined ? [] : [waiting],
    },
  ];
}

function pgFindings(pgs: readonly PgView[]): Finding[] {
  const lines = (
    wanted: (pg: PgView) => boolean,
    words: (pg: PgView) => string,
  ): readonly string[] => pgs.filter(wanted).map((pg) => `pg ${pg.pg} (${pg.pool}): ${words(pg)}`);
  const isDegraded = (pg: PgView): boolean => pg.state.includes('degraded');
  return [
    {
      code: 'PG_NOT_SERVING',
      severity: 'ERR',
      summary: (count) => `${countOf(count, 'placement group')} not serving`,
      lines: lines(
        (pg) => !pg.serving && !pg.handedOver,
        (pg) => `${pg.state}; waits for ${pg.waiting === '' ? 'its primary' : pg.waiting}`,
      ),
    },
    {
      code: 'OSD_ROLLED_BACK',
      severity: 'ERR',
      summary: (count) =>
        `${countOf(count, 'placement group')} whose last disk came back older than it was`,
      lines: lines(
        (pg) => pg.slots.some((slot) => slot.state === 'rolled-back'),
        (pg) => {
          const old = pg.slots.filter((slot) => slot.state === 'rolled-back');
          const ids = describeOsds(old.map((slot) => slot.osd));
          return `${ids}; put its newest disk back, or give up what it lost: holdfast osd accept-rollback`;
        },
      ),
    },
    {
      code: 'PG_BELOW_FLOOR',
      severity: 'ERR',
      summary: (count) => `${countOf(count, 'placement group')} below the write floor: writes wait`,
      lines: lines(
        // What would be written there goes elsewhere.
        (pg) => pg.serving && !pg.writable && !pg.draining,
        (pg) => `${describeInSync(pg)} (${pg.geometry})`,
      ),
    },
    {
      code: 'PG_DEGRADED',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'placement group')} with less redundancy than promised`,
      lines: lines(isDegraded, (pg) => {
        const recovering = pg.missing > 0 ? `, ${countOf(pg.missing, 'item')} to recover` : '';
        return `${describeInSync(pg)} (${pg.geometry})${recovering}`;
      }),
    },
    {
      code: 'PG_NOT_CLEAN',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'placement group')} moving to where they belong`,
      lines: lines(
        (pg) => !pg.clean && !isDegraded(pg),
        (pg) => `${pg.state}, on ${describeOsds(pg.slots.map((slot) => slot.osd))}`,
      ),
    },
    {
      code: 'OBJECTS_DAMAGED',
      severity: 'ERR',
      summary: (count) => `damaged copies in ${countOf(count, 'placement group')}`,
      lines: lines(
        (pg) => pg.damaged > 0,
        (pg) => `${countOf(pg.damaged, 'object')} with a copy that does not check`,
      ),
    },
    {
      code: 'OBJECTS_LOST',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'placement group')} lost objects`,
      lines: lines(
        (pg) => pg.lost !== null,
        (pg) =>
          `${pg.lost?.kind}, accepted by ${pg.lost?.acceptedBy}; once its objects are deleted or written anew: holdfast pg forget-loss ${pg.pg}`,
      ),
    },
  ];
}

function describeInSync(pg: PgView): string {
  const live = pg.slots.filter((slot) => slot.state === 'in-sync' && slot.live);
  return `${pg.state}, in sync on ${describeOsds(live.map((slot) => slot.osd))}`;
}

function describeOsds(ids: readonly number[]): string {
  return ids.length === 0 ? 'no OSD' : ids.map((id) => `osd.${id}`).join(' ');
}

function osdFindings(osds: readonly OsdView[]): Finding[] {
  const permille = (osd: OsdView): number =>
    osd.capacityBytes === 0 ? 0 : (osd.usedBytes * 1000) / osd.capacityBytes;
  const fullness = (osd: OsdView): string =>
    `osd.${osd.id} is ${(permille(osd) / 10).toFixed(1)} % full`;
  return [
    {
      code: 'OSD_DOWN',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'OSD')} down`,
      lines: osds
        .filter((osd) => !osd.up && !osd.destroyed)
        .map((osd) => `osd.${osd.id} on ${osd.host}`),
    },
    {
      code: 'OSD_OUT',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'OSD')} out`,
      lines: osds
        .filter((osd) => !osd.in && !osd.destroyed)
        .map(
          (osd) => `osd.${osd.id} on ${osd.host}, still in ${countOf(osd.pgs, 'placement group')}`,
        ),
    },
    {
      code: 'OSD_DESTROYED',
      severity: 'ERR',
      summary: (count) => `${countOf(count, 'destroyed OSD')} still needed`,
      lines: osds
        .filter((osd) => osd.destroyed && osd.pgs > 0)
        .map(
          (osd) =>
            `osd.${osd.id} on ${osd.host}: ${countOf(osd.pgs, 'placement group')} may have nothing else; ${osd.wiped ? 'it was wiped' : `take it back with holdfast osd undestroy ${osd.id}`}`,
        ),
    },
    {
      code: 'DAEMON_FAILED',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'daemon')} could not run`,
      lines: osds.filter((osd) => osd.failure !== '').map((osd) => `osd.${osd.id}: ${osd.failure}`),
    },
    {
      code: 'MAP_REFUSED',
      severity: 'ERR',
      summary: (count) =>
        `${countOf(count, 'OSD')} acting on an older cluster map, because the newest is wrong`,
      lines: osds
        .filter((osd) => osd.refusedMap !== '')
        .map((osd) => `osd.${osd.id}: ${osd.refusedMap}`),
    },
    {
      code: 'PG_STOPPED',
      severity: 'ERR',
      summary: (count) => `${countOf(count, 'placement group')} stopped on an OSD`,
      lines: osds.flatMap((osd) => osd.stopped.map((words) => `osd.${osd.id}: ${words}`)),
    },
    {
      code: 'OSD_NEARLY_FULL',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'OSD')} nearly full`,
      lines: osds
        .filter((osd) => permille(osd) >= nearlyFullPermille && permille(osd) < fullPermille)
        .map(fullness),
    },
    {
      code: 'OSD_FULL',
      severity: 'ERR',
      summary: (count) => `${countOf(count, 'OSD')} full: writes there are refused`,
      lines: osds.filter((osd) => permille(osd) >= fullPermille).map(fullness),
    },
    {
      code: 'OSD_MEMORY',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'OSD')} near its memory budget: recovery waits there`,
      lines: osds.flatMap(({ id, memory }) =>
        memory?.recoveryWaits === true ? [`osd.${id} ${describeMemory(memory)}`] : [],
      ),
    },
  ];
}

function describeMemory({ usedBytes, budgetBytes, putsWait }: MemoryView): string {
  const [used, budget] = [usedBytes, budgetBytes].map((bytes) => Math.round(bytes / 2 ** 20));
  return `holds ${used} of ${budget} MiB (memoryBudgetBytes in holdfast.yaml)${putsWait ? '; writes are slowed, too' : ''}`;
}

function stormFindings({ heldIn, flapping }: MonitorKnowledge): Finding[] {
  return [
    {
      code: 'OSD_HELD_IN',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'OSD')} down for long and not marked out`,
      lines: heldIn.map(({ osd, reason }) => `osd.${osd}: ${reason}`),
    },
    {
      code: 'OSD_FLAPPING',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'OSD')} went down again and again`,
      lines: flapping.map(
        ({ osd, downs, waitMs }) =>
          `osd.${osd}: ${downs} times in ten minutes; it takes part again in ${Math.ceil(waitMs / 1000)} s`,
      ),
    },
  ];
}

function poolFindings(map: ClusterMap): Finding[] {
  const needy = map.pools.filter((pool) => {
    const layout = activeLayout(pool);
    return domainCount(map, layout) < slotCount(placementOf(layout).geometry);
  });
  return [
    {
      code: 'POOL_TOO_FEW_DOMAINS',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'pool')} with fewer failure domains than needed`,
      lines: needy.map((pool) => {
        const layout = activeLayout(pool);
        const { geometry, rule } = placementOf(layout);
        return `pool ${pool.name} (${formatGeometry(geometry)}) needs ${slotCount(geometry)} of level ${rule.failureDomain}, ${domainCount(map, layout)} can be used`;
      }),
    },
    {
      code: 'POOL_NO_REDUNDANCY',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'pool')} without redundancy`,
      lines: map.pools
        .filter((pool) => slotCount(activeLayout(pool).geometry) === 1)
        .map((pool) => `pool ${pool.name} keeps one copy: any disk lost is data lost`),
    },
  ];
}

function layoutFindings(pools: readonly PoolView[]): Finding[] {
  // What is moved has what the pool promises; that its old places wait to be collected is nobody's concern.
  const changing = pools.filter(({ migration }) => migration !== null && !migration.isMoved);
  const interim = pools.filter(({ layouts }) => layouts.at(-1)?.purpose === 'interim');
  return [
    {
      code: 'POOL_INTERIM',
      severity: 'WARN',
      summary: (count) =>
        `${countOf(count, 'pool')} whose own layout can't take writes: they go to an interim one`,
      lines: interim.map(
        ({ name, layouts }) =>
          `pool ${name} writes as ${layouts.at(-1)?.geometry}, and goes back by itself when enough disks are there`,
      ),
    },
    {
      code: 'POOL_MIGRATING',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'pool')} being moved to another layout`,
      lines: changing
        .filter((pool) => !interim.includes(pool))
        .map(({ name, layouts, migration }) => {
          const from = layouts.filter((each) => each.state === 'draining');
          const state = migration?.state === 'paused' ? ', paused' : '';
          const trouble = migration?.trouble ? `; not moved: ${migration.trouble}` : '';
          return `pool ${name}: from ${from.map((each) => each.geometry).join(', ')} to ${layouts.at(-1)?.geometry}${state}${trouble}`;
        }),
    },
    {
      code: 'POOL_HANDING_OVER',
      severity: 'WARN',
      summary: (count) => `${countOf(count, 'pool')} going to another number of placement groups`,
      lines: pools.flatMap(({ name, handover }) =>
        handover === null
          ? []
          : [
              `pool ${name}: ${handover.pgsDone} of ${handover.fromPgs} have handed over what they had to ${countOf(handover.toPgs, 'placement group')}${handover.isPaused ? ', paused' : ''}`,
            ],
      ),
    },
    {
      code: 'POOL_CHANGING',
      severity: 'WARN',
      summary: (count) =>
        `${countOf(count, 'pool')} changing in place; until then as promised before`,
      lines: pools.flatMap(({ name, geometry, failureDomain, deviceClass, change }) =>
        change === null
          ? []
          : [
              `pool ${name}: from ${described({ geometry, failureDomain, deviceClass })} to ${described(change)}, ${change.pgsDone} of ${countOf(change.pgs, 'placement group')} there`,
            ],
      ),
    },
  ];
}

type Described = Pick<ChangeView, 'geometry' | 'failureDomain' | 'deviceClass'>;

function described({ geometry, failureDomain, deviceClass }: Described): string {
  return `${geometry} by ${failureDomain}${deviceClass === null ? '' : ` on ${deviceClass}`}`;
}

/** Events are tried again each minute at the least: what waits longer waits for a webhook. */
const lateMs = 5 * 60_000;

function notificationFinding(words: MonitorKnowledge['notifications']): Finding {
  const late = words.flatMap(({ queue }) =>
    queue !== undefined && queue.oldestMs >= lateMs ? [queue] : [],
  );
  return {
    code: 'NOTIFICATIONS_LATE',
    severity: 'WARN',
    summary: () => 'events of buckets can not be delivered: when too many wait, writes are refused',
    lines: late.map(
      ({ count, oldestMs, trouble }) =>
        `${countOf(count, 'event')}, the oldest for ${Math.floor(oldestMs / 60_000)} min${trouble === '' ? '' : `; ${trouble}`}`,
    ),
  };
}

function crashFinding(crashes: readonly Crash[]): Finding {
  return {
    code: 'DAEMON_CRASHED',
    severity: 'WARN',
    summary: (count) => `${countOf(count, 'daemon')} crashed`,
    lines: crashes.map(
      ({ daemon, at, message, path }) =>
        `${daemon} at ${at}: ${message.slice(0, 200)} (acknowledge by removing ${path})`,
    ),
  };
}
