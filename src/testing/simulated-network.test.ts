import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Scheduler } from './scheduler.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedNetwork } from './simulated-network.ts';

test("what was sent is the network's: the sender's own bytes stay as they are, of whatever kind", async () => {
  const scheduler = new Scheduler();
  const network = new SimulatedNetwork(scheduler, new SeededRandom(1));
  const processOf = (name: string) => ({
    name,
    isAlive: true,
    run: (action: () => void) => action(),
  });
  const received: string[] = [];
  await network.of(processOf('far')).listen('far:1', (connection) =>
    connection.start({
      received: (bytes) => received.push(Buffer.from(bytes).toString()),
      drained: () => {},
      closed: () => {},
    }),
  );
  const connecting = network.of(processOf('near')).connect('far:1');
  const connection = await scheduler.settle(connecting, 'a connection', 1000);
  connection.start({ received: () => {}, drained: () => {}, closed: () => {} });
  const sent = [Buffer.from('a buffer'), new Uint8Array([112, 108, 97, 105, 110])];
  connection.send(sent);
  await scheduler.run(100);
  deepEqual(received, ['a buffer', 'plain']);
  equal(sent.map((each) => Buffer.from(each).toString()).join(), 'a buffer,plain');
});
