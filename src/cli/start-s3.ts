import { memoryShares } from '../base/memory-budget.ts';
import { ClusterClient } from '../client/cluster-client.ts';
import { startS3 } from '../s3/gateway.ts';
import { keyFromHex, type S3DaemonOptions } from './daemon-options.ts';
import type { DaemonSurroundings, RunningDaemon } from './start-daemon.ts';

export async function startS3Daemon(
  { env, ask }: DaemonSurroundings,
  options: S3DaemonOptions,
): Promise<RunningDaemon> {
  const { fsid, uuid } = options;
  const cluster = ClusterClient.start(env, {
    identity: { fsid, role: 's3', uuid },
    key: keyFromHex(options.keyHex),
    mon: options.mon,
  });
  // Before, it knows no users: who asked would be told that there are no such keys, and not try again.
  await cluster.ready();
  const gateway = await startS3(env, {
    ...options.settings,
    budgetBytes: memoryShares(options.memoryBudgetBytes).bodiesBytes,
    address: options.listen,
    cluster,
    tellSiblings: async (news) => {
      await ask({ kind: 'tell-gateways', news });
    },
  });
  return {
    report: { address: gateway.address },
    hear: (news) => gateway.hear(news),
    close: async () => {
      await gateway.close();
      cluster.close();
    },
  };
}
