// The assessment in Prometheus' text format (version 0.0.4). Names and labels are an interface: kept.

import type { Assessment } from './assess.ts';
import type { MonitorKnowledge } from './control.ts';
import type { Health } from './views.ts';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const healthNumbers = { HEALTH_OK: 0, HEALTH_WARN: 1, HEALTH_ERR: 2 } as const;

export function formatMetrics(
  assessment: Assessment,
  health: Health,
  notifications: MonitorKnowledge['notifications'],
): string {
  const { osds, pgs, pools } = assessment;
  const states = new Map<string, number>();
  for (const { state } of pgs) states.set(state, (states.get(state) ?? 0) + 1);
  const single = (value: number): readonly Sample[] => [{ labels: {}, value }];
  const perOsd = (measure: (osd: (typeof osds)[number]) => number): readonly Sample[] =>
    osds.map((osd) => ({ labels: { osd: String(osd.id), host: osd.host }, value: measure(osd) }));
  const perPool = (measure: (pool: (typeof pools)[number]) => number): readonly Sample[] =>
    pools.map((pool) => ({ labels: { pool: pool.name }, value: measure(pool) }));
  const perGateway = (measure: (word: (typeof notifications)[number]) => number) =>
    notifications.map((word) => ({ labels: { gateway: word.gateway }, value: measure(word) }));
  const [queue] = notifications.flatMap((word) => word.queue ?? []);
  const ofQueue = (measure: (of: NonNullable<typeof queue>) => number): readonly Sample[] =>
    queue === undefined ? [] : single(measure(queue));
  const families: Family[] = [
    {
      name: 'health',
      help: '0 ok, 1 warning, 2 error',
      samples: single(healthNumbers[health.status]),
    },
    {
      name: 'health_check',
      help: 'Checks that are not fulfilled now',
      samples: health.checks.map(({ code, severity }) => ({
        labels: { code, severity },
        value: 1,
      })),
    },
    { name: 'osd_up', help: '1 while the daemon runs', samples: perOsd((osd) => Number(osd.up)) },
    {
      name: 'osd_in',
      help: '1 while data belongs there',
      samples: perOsd((osd) => Number(osd.in)),
    },
    { name: 'osd_capacity_bytes', help: 'Size', samples: perOsd((osd) => osd.capacityBytes) },
    { name: 'osd_used_bytes', help: 'In use', samples: perOsd((osd) => osd.usedBytes) },
    {
      name: 'osd_pgs',
      help: 'Placement groups with a slot there',
      samples: perOsd((osd) => osd.pgs),
    },
    { name: 'pool_objects', help: 'Objects or blobs', samples: perPool((pool) => pool.objects) },
    { name: 'pool_bytes', help: 'Bytes before redundancy', samples: perPool((pool) => pool.bytes) },
    {
      name: 'pool_margin_writes',
      help: 'Failure domains that may go before writes wait',
      samples: perPool((pool) => pool.margin.writes),
    },
    {
      name: 'pool_margin_reads',
      help: 'Failure domains that may go before something can not be read',
      samples: perPool((pool) => pool.margin.reads),
    },
    {
      name: 'pool_change_pgs',
      help: 'Placement groups of a pool that changes in place',
      samples: pools.flatMap(({ name, change }) =>
        change === null ? [] : [{ labels: { pool: name }, value: change.pgs }],
      ),
    },
    {
      name: 'pool_change_pgs_done',
      help: 'Those of them that are as the pool will be',
      samples: pools.flatMap(({ name, change }) =>
        change === null ? [] : [{ labels: { pool: name }, value: change.pgsDone }],
      ),
    },
    {
      name: 'pool_handover_pgs',
      help: 'Placement groups of a pool that hands its mutable objects over to others',
      samples: pools.flatMap(({ name, handover }) =>
        handover === null ? [] : [{ labels: { pool: name }, value: handover.fromPgs }],
      ),
    },
    {
      name: 'pool_handover_pgs_done',
      help: 'Those of them that have handed over all they had',
      samples: pools.flatMap(({ name, handover }) =>
        handover === null ? [] : [{ labels: { pool: name }, value: handover.pgsDone }],
      ),
    },
    {
      name: 'pgs',
      help: 'Placement groups by state',
      samples: [...states].map(([state, value]) => ({ labels: { state }, value })),
    },
    {
      name: 'pg_missing_items',
      help: 'Items to recover',
      samples: single(pgs.reduce((sum, pg) => sum + pg.missing, 0)),
    },
    {
      name: 'pg_damaged_objects',
      help: 'Objects with a damaged copy',
      samples: single(pgs.reduce((sum, pg) => sum + pg.damaged, 0)),
    },
    {
      name: 'notifications_queued',
      help: 'Events that wait for their topics',
      samples: ofQueue(({ count }) => count),
    },
    {
      name: 'notifications_oldest_seconds',
      help: 'Age of the oldest event that waits for long',
      samples: ofQueue(({ oldestMs }) => oldestMs / 1000),
    },
    {
      name: 'notifications_delivered',
      help: 'Events that webhooks took, since the gateway began',
      samples: perGateway(({ told }) => told),
    },
    {
      name: 'notifications_failed',
      help: 'Tries that failed, since the gateway began',
      samples: perGateway(({ failed }) => failed),
    },
    {
      name: 'notifications_expired',
      help: 'Events given up after their time, since the gateway began',
      samples: perGateway(({ expired }) => expired),
    },
    {
      name: 'notifications_gone',
      help: 'Events of topics that are gone, since the gateway began',
      samples: perGateway(({ gone }) => gone),
    },
  ];
  return families.map(formatFamily).join('');
}

function formatFamily({ name, help, samples }: Family): string {
  if (samples.length === 0) return '';
  const full = `holdfast_${name}`;
  const lines = samples.map(({ labels, value }) => `${full}${formatLabels(labels)} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} gauge\n${lines.join('')}`;
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
