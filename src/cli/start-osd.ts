import type { OsdId } from '../base/ids.ts';
import { leftOutOf } from '../host/crash.ts';
import { startOsd } from '../osd/osd.ts';
import { s3Methods } from '../s3/index/methods.ts';
import { keyFromHex, type OsdDaemonOptions } from './daemon-options.ts';
import { chooseLoopback } from './free-port.ts';
import type { DaemonSurroundings, RunningDaemon } from './start-daemon.ts';

export async function startOsdDaemon(
  { env, bornAt }: DaemonSurroundings,
  options: OsdDaemonOptions,
): Promise<RunningDaemon> {
  const { fsid, uuid, osd: id } = options;
  const osd = await startOsd(env, {
    identity: { fsid, role: 'osd', uuid },
    osdId: id as OsdId,
    key: keyFromHex(options.keyHex),
    mon: options.mon,
    listen: await chooseLoopback(options.listen),
    listenElse: () => chooseLoopback(options.listen),
    store: { capacityBytes: options.capacityBytes },
    methods: s3Methods,
    memoryBudgetBytes: options.memoryBudgetBytes,
    leftOut: leftOutOf(env.crashSite.folder, env.crashSite.daemon),
    ...(bornAt === undefined ? {} : { bornAt }),
  });
  return { report: { address: osd.address }, close: () => osd.close() };
}
