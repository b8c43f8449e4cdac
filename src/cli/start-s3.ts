import { ClusterClient } from '../client/cluster-client.ts';
import { startS3 } from '../s3/gateway.ts';
import { keyFromHex, type S3DaemonOptions } from './daemon-options.ts';
import type { DaemonSurroundings, RunningDaemon } from './start-daemon.ts';

/** Of the gateway's memory: bodies on their way, which its buffers and sockets hold once more. */
const bodiesShare = 5 / 16;

export async function startS3Daemon(
  { env }: DaemonSurroundings,
  options: S3DaemonOptions,
): Promise<RunningDaemon> {
  const { fsid, uuid } = options;
  const cluster = ClusterClient.start(env, {
    identity: { fsid, role: 's3', uuid },
    key: keyFromHex(options.keyHex),
    mon: options.mon,
  });
  const gateway = await startS3(env, {
    ...options.settings,
    budgetBytes: Math.floor(options.memoryBudgetBytes * bodiesShare),
    address: options.listen,
    cluster,
  });
  await cluster.ready();
  return {
    report: { address: gateway.address },
    close: async () => {
      await gateway.close();
      cluster.close();
    },
  };
}
