// The answers of the admin API as people read them. Pure but for colours.

import { countOf } from '../admin/health.ts';
import type { HandoverView, Health, OsdView, PgView, PoolView, Status } from '../admin/views.ts';
import {
  formatAge,
  formatBytes,
  formatMargin,
  formatPercent,
  formatTable,
  type Paint,
} from './text.ts';

export function showHealthStatus({ status }: Health, paint: Paint): string {
  const colour = { HEALTH_OK: paint.green, HEALTH_WARN: paint.yellow, HEALTH_ERR: paint.red };
  return colour[status](status);
}

export function showHealth(health: Health, paint: Paint): string {
  const lines = [showHealthStatus(health, paint)];
  for (const { code, severity, summary, detail } of health.checks) {
    const colour = severity === 'ERR' ? paint.red : paint.yellow;
    lines.push(`${colour(severity.padEnd(4))} ${paint.bold(code)}: ${summary}`);
    lines.push(...detail.map((line) => `       ${line}`));
  }
  return `${lines.join('\n')}\n`;
}

export function showStatus(status: Status, paint: Paint): string {
  const { osds, pgs, usage, recovery, health, pools } = status;
  const label = (name: string): string => paint.dim(`  ${name.padEnd(10)}`);
  const lines = [
    `${label('cluster')}${status.fsid}`,
    `${label('health')}${showHealthStatus(health, paint)}`,
    ...health.checks.map(({ summary }) => `${label('')}${summary}`),
    `${label('osds')}${osds.total}: ${osds.up} up, ${osds.in} in`,
    `${label('pgs')}${pgs.total}: ${pgs.serving} serving, ${pgs.clean} clean`,
    ...Object.entries(pgs.byState)
      .sort(([, a], [, b]) => b - a)
      .map(([state, count]) => `${label('')}${String(count).padStart(4)} ${state}`),
    `${label('usage')}${formatBytes(usage.usedBytes)} of ${formatBytes(usage.capacityBytes)} (${formatPercent(usage.usedBytes, usage.capacityBytes)})`,
    `${label('margin')}failures of a domain that can be taken now: ${formatMargin(status.margin)}`,
  ];
  if (recovery.missing > 0)
    lines.push(
      `${label('recovery')}${countOf(recovery.missing, 'item')} missing in ${countOf(recovery.pgs, 'placement group')}`,
    );
  lines.push(...status.notes.map((note) => `${label('note')}${note}`));
  return `${lines.join('\n')}\n\n${showPools(pools)}`;
}

/** What a pool is, and where its change stands, in one line. */
export function describeMigration(pool: PoolView): string {
  const { geometry, layouts, migration, handover, change } = pool;
  if (change !== null)
    return `in place to ${describePlacement(change)}: ${change.pgsDone} of ${countOf(change.pgs, 'placement group')} there`;
  if (handover !== null) return describeHandover(handover);
  if (migration === null) return describePlacement(pool);
  const from = layouts
    .filter(({ state }) => state === 'draining')
    .map((each) => each.geometry)
    .join(', ');
  const { state, leftBytes, bytesPerSecond, secondsLeft, isMoved, trouble } = migration;
  const words = [`from ${from} to ${geometry}`];
  if (state === 'held') words.push('held until enough disks are there');
  else if (state === 'paused') words.push('paused');
  if (isMoved) words.push(`moved; ${formatBytes(leftBytes)} wait to be collected`);
  else {
    words.push(`${formatBytes(leftBytes)} left`);
    if (bytesPerSecond > 0) words.push(`${formatBytes(bytesPerSecond)}/s`);
    if (secondsLeft !== null) words.push(`about ${secondsLeft} s`);
  }
  if (trouble !== '') words.push(`not moved: ${trouble}`);
  return words.join(', ');
}

function describeHandover({ fromPgs, toPgs, pgsDone, isPaused }: HandoverView): string {
  const paused = isPaused ? ', paused' : '';
  return `to ${countOf(toPgs, 'placement group')}: ${pgsDone} of ${fromPgs} have handed over${paused}`;
}

function describePlacement({
  geometry,
  failureDomain,
  deviceClass,
}: Pick<PoolView, 'geometry' | 'failureDomain' | 'deviceClass'>): string {
  return `${geometry} by ${failureDomain}${deviceClass === null ? '' : ` on ${deviceClass}`}`;
}

export function showPools(pools: readonly PoolView[]): string {
  return formatTable(
    [
      { title: 'POOL' },
      { title: 'GEOMETRY' },
      { title: 'DOMAIN' },
      { title: 'CLASS' },
      { title: 'PGS', align: 'right' },
      { title: 'OBJECTS', align: 'right' },
      { title: 'STORED', align: 'right' },
      { title: 'MARGIN (DOMAINS)' },
      { title: '' },
    ],
    pools.map((pool) => [
      pool.name,
      pool.geometry,
      pool.failureDomain,
      pool.deviceClass ?? 'any',
      String(pool.pgs),
      String(pool.objects),
      formatBytes(pool.bytes),
      formatMargin(pool.margin),
      pool.migration === null && pool.handover === null && pool.change === null
        ? ''
        : describeMigration(pool),
    ]),
  );
}

export function showOsdTree(osds: readonly OsdView[], paint: Paint): string {
  const rows: string[][] = [];
  for (const host of [...new Set(osds.map((osd) => osd.host))]) {
    rows.push([paint.bold(host)]);
    for (const osd of osds.filter((each) => each.host === host))
      rows.push([
        `  osd.${osd.id}`,
        osd.deviceClass,
        formatBytes(osd.capacityBytes),
        String(osd.weight),
        osd.up ? paint.green('up') : paint.red('down'),
        osd.destroyed
          ? paint.red(osd.wiped ? 'wiped' : 'destroyed')
          : osd.in
            ? 'in'
            : paint.yellow('out'),
        String(osd.pgs),
        String(osd.primaries),
        osd.address,
        paint.red(osd.failure),
      ]);
  }
  return formatTable(
    [
      { title: 'NAME' },
      { title: 'CLASS' },
      { title: 'SIZE', align: 'right' },
      { title: 'WEIGHT', align: 'right' },
      { title: 'STATE' },
      { title: 'DATA' },
      { title: 'PGS', align: 'right' },
      { title: 'PRIMARY', align: 'right' },
      { title: 'ADDRESS' },
      { title: '' },
    ],
    rows,
  );
}

export function showOsdUsage(osds: readonly OsdView[]): string {
  const row = (name: string, used: number, capacity: number, pgs: string): string[] => [
    name,
    formatBytes(capacity),
    formatBytes(used),
    formatBytes(Math.max(0, capacity - used)),
    formatPercent(used, capacity),
    pgs,
  ];
  const total = (measure: (osd: OsdView) => number): number =>
    osds.reduce((sum, osd) => sum + measure(osd), 0);
  return formatTable(
    [
      { title: 'OSD' },
      { title: 'SIZE', align: 'right' },
      { title: 'USED', align: 'right' },
      { title: 'FREE', align: 'right' },
      { title: 'FULL', align: 'right' },
      { title: 'PGS', align: 'right' },
    ],
    [
      ...osds.map((osd) => row(`osd.${osd.id}`, osd.usedBytes, osd.capacityBytes, String(osd.pgs))),
      row(
        'total',
        total((osd) => osd.usedBytes),
        total((osd) => osd.capacityBytes),
        '',
      ),
    ],
  );
}

export function showPgs(pgs: readonly PgView[], nowMs: number): string {
  return formatTable(
    [
      { title: 'PG' },
      { title: 'POOL' },
      { title: 'STATE' },
      { title: 'PRIMARY', align: 'right' },
      { title: 'SLOTS (OSD:STATE)' },
      { title: 'OBJECTS', align: 'right' },
      { title: 'STORED', align: 'right' },
      { title: 'MISSING', align: 'right' },
      { title: 'DEEP SCRUB' },
      { title: 'WAITS FOR, OR LOST' },
    ],
    pgs.map((pg) => [
      pg.pg,
      pg.pool,
      pg.state,
      pg.primary === null ? '–' : String(pg.primary),
      pg.slots.map((slot) => describeSlot(slot)).join(' '),
      String(pg.objects),
      formatBytes(pg.bytes),
      String(pg.missing),
      pg.deepScrubbedMs === null ? '?' : formatAge(pg.deepScrubbedMs, nowMs),
      [
        pg.serving ? '' : pg.waiting,
        pg.lost === null
          ? ''
          : `${pg.lost.kind} ${new Date(pg.lost.acceptedMs).toISOString()} by ${pg.lost.acceptedBy}`,
      ]
        .filter((words) => words !== '')
        .join('; '),
    ]),
  );
}

/** In-sync is the rule; what is not says so. */
function describeSlot({ osd, state, live }: PgView['slots'][number]): string {
  const words = [...(state === 'in-sync' ? [] : [state]), ...(live ? [] : ['down'])];
  return words.length === 0 ? String(osd) : `${osd}:${words.join('/')}`;
}
