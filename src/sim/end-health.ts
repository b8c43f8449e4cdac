// Once everything has healed and is clean, health says so: `HEALTH_OK`, within a stated time, but for what stands by
// right whatever the faults were.

import { type Assessment, assess } from '../admin/assess.ts';
import { computeHealth } from '../admin/health.ts';
import type { HealthCheck, HealthCode } from '../admin/views.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

/** In virtual milliseconds from when every placement group is active and clean. */
const healthyWithinMs = 60_000;

/** Where gateways put what is too large for the index. */
const gatewaysPool = 'data';

function assessmentOf({ monitor, scheduler }: SimulatedCluster): Assessment {
  return assess(monitor, scheduler.now() as Parameters<typeof assess>[1]);
}

export function checksOf(cluster: SimulatedCluster): readonly HealthCheck[] {
  return computeHealth(cluster.monitor, assessmentOf(cluster), []).checks;
}

/** Waits until health is as good as it can be; answers what is still said that should not be. */
export async function healthLeft(
  cluster: SimulatedCluster,
  facts: { readonly hasGateways: boolean },
): Promise<string[]> {
  const standsByRight = (code: HealthCode): boolean => {
    switch (code) {
      case 'POOL_NO_REDUNDANCY':
        // Drawn so: a pool of one copy warns as long as it is there.
        return true;
      case 'POOL_MIGRATING':
        // Gateways move what they have in the layouts before, which is all in one pool; what clients put beside them is
        // moved by nobody.
        return !assessmentOf(cluster).pools.some(
          ({ name, migration }) =>
            facts.hasGateways && name === gatewaysPool && migration?.isMoved === false,
        );
      default:
        return false;
    }
  };
  const left = (): readonly HealthCheck[] =>
    checksOf(cluster).filter(({ code }) => !standsByRight(code));
  const deadline = cluster.scheduler.now() + healthyWithinMs;
  while (left().length > 0 && cluster.scheduler.now() < deadline) await cluster.scheduler.run(500);
  return left().map(
    ({ code, summary, detail }) =>
      `health is not OK ${healthyWithinMs} ms after all is clean: ${code}, ${summary}\n${detail.join('\n')}`,
  );
}
