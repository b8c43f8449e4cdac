// Commits a workload to a store in a folder until it is killed: the other half of store-on-disk.test.ts, in a process of its
// own. Goes on from what the store holds; writes a line with its sequence for each acknowledged transaction.

import { writeSync } from 'node:fs';
import { HostFiles } from '../host/host-files.ts';
import { ObjectStore } from '../store/object-store.ts';
import { transactionOf } from '../store/store-suite.ts';
import { capacityBytes, workloadOf } from './store-workload.ts';

const [folder = '', seed = '1'] = process.argv.slice(2);
const workload = workloadOf(Number(seed));
const store = await ObjectStore.open(new HostFiles(folder), { capacityBytes });
let inFlight: Promise<void>[] = [];
for (const [index, operations] of workload.entries()) {
  if (index < store.sequence) continue;
  inFlight.push(
    // Synchronously: what was acknowledged has been said when the process is killed.
    store.commit(transactionOf(operations)).then(() => void writeSync(1, `${index + 1}\n`)),
  );
  if (inFlight.length < 1 + (index % 7)) continue;
  await Promise.all(inFlight);
  inFlight = [];
}
await Promise.all(inFlight);
await store.close();
