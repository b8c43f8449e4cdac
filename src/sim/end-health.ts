// Once everything has healed and is clean, health says so: `HEALTH_OK`, within a stated time, but for what stands by
// right whatever the faults were.

import { assess } from '../admin/assess.ts';
import { computeHealth } from '../admin/health.ts';
import type { HealthCheck, HealthCode } from '../admin/views.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

/** In virtual milliseconds from when every placement group is active and clean. */
const healthyWithinMs = 60_000;

export function checksOf({ monitor, scheduler }: SimulatedCluster): readonly HealthCheck[] {
  const now = scheduler.now() as Parameters<typeof assess>[1];
  return computeHealth(monitor, assess(monitor, now), []).checks;
}

/** Waits until health is as good as it can be; answers what is still said that should not be. */
export async function healthLeft(
  cluster: SimulatedCluster,
  facts: { readonly hasGateways: boolean },
): Promise<string[]> {
  const standing = new Set<HealthCode>([
    // Drawn so: a pool of one copy warns as long as it is there.
    'POOL_NO_REDUNDANCY',
  ]);
  // Gateways move what lies in the layouts before; a run without any has nobody who could.
  if (!facts.hasGateways) standing.add('POOL_MIGRATING');
  const left = (): readonly HealthCheck[] =>
    checksOf(cluster).filter(({ code }) => !standing.has(code));
  const deadline = cluster.scheduler.now() + healthyWithinMs;
  while (left().length > 0 && cluster.scheduler.now() < deadline) await cluster.scheduler.run(500);
  return left().map(
    ({ code, summary, detail }) =>
      `health is not OK ${healthyWithinMs} ms after all is clean: ${code}, ${summary}\n${detail.join('\n')}`,
  );
}
