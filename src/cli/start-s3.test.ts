import { equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { Scheduler } from '../testing/scheduler.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { SimulatedFiles } from '../testing/simulated-files.ts';
import { SimulatedNetwork } from '../testing/simulated-network.ts';
import { SimulatedProcess } from '../testing/simulated-process.ts';
import type { S3DaemonOptions } from './daemon-options.ts';
import type { DaemonSurroundings } from './start-daemon.ts';
import { startS3Daemon } from './start-s3.ts';

test('a gateway that the monitor has told nothing yet takes no requests: it would know no keys', async () => {
  const scheduler = new Scheduler();
  const random = new SeededRandom(1);
  const process = new SimulatedProcess('s3', {
    scheduler,
    network: new SimulatedNetwork(scheduler, random),
    files: new SimulatedFiles({ random }),
    random,
    log: () => {},
    failed: () => {},
  });
  const surroundings = { env: process.env, ask: async () => ({}), bornAt: undefined };
  const uuid = '00000000-0000-4000-8000-000000000001';
  const options = {
    role: 's3',
    id: 0,
    fsid: uuid,
    uuid,
    keyHex: '00'.repeat(32),
    mon: { address: 'mon:1', uuid },
    listen: 's3:1',
    memoryBudgetBytes: 256 * 1024 * 1024,
    settings: {},
  };
  let isStarted = false;
  startS3Daemon(
    surroundings as unknown as DaemonSurroundings,
    options as unknown as S3DaemonOptions,
  )
    .then(() => {
      isStarted = true;
    })
    .catch(() => undefined);
  await scheduler.run(5000);
  const body = { next: async () => undefined };
  const asked = process.http.request({
    method: 'GET',
    target: '/',
    headers: [
      ['host', 's3'],
      ['authorization', 'AWS AK:c2lnbmF0dXJl'],
      ['date', 'Fri, 27 Nov 2026 00:00:00 GMT'],
    ],
    body,
    remote: 'client:1',
  });
  await rejects(scheduler.settle(asked, 'an answer', 1000), /s3 ended/);
  equal(isStarted, false);
  process.kill();
});
