import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { Scheduler } from './scheduler.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedNetwork } from './simulated-network.ts';

async function connected() {
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
  return { scheduler, network, connection, received };
}

test("what was sent is the network's: the sender's own bytes stay as they are, of whatever kind", async () => {
  const { scheduler, connection, received } = await connected();
  const sent = [Buffer.from('a buffer'), new Uint8Array([112, 108, 97, 105, 110])];
  connection.send(sent);
  await scheduler.run(100);
  deepEqual(received, ['a buffer', 'plain']);
  equal(sent.map((each) => Buffer.from(each).toString()).join(), 'a buffer,plain');
});

test('who sends is told when its memory is its own again: once, after it has arrived or when it never will', async () => {
  const { scheduler, network, connection, received } = await connected();
  let told = 0;
  connection.send([Buffer.from('first')], () => told++);
  equal(told, 0);
  await scheduler.run(100);
  deepEqual(received, ['first']);
  equal(told, 1);
  network.cut('near', 'far');
  connection.send([Buffer.from('held back')], () => told++);
  await scheduler.run(100);
  equal(told, 1);
  network.reset('near', 'far');
  equal(told, 2);
  connection.send([Buffer.from('after the end')], () => told++);
  equal(told, 3);
  network.heal();
  await scheduler.run(100);
  equal(told, 3);
});

test('memory that changes before its sender is told ends the run', async () => {
  const { scheduler, connection } = await connected();
  const bytes = Buffer.from('mine');
  connection.send([bytes], () => {});
  bytes.fill(0);
  await rejects(scheduler.run(100), /near leaves what it sends as it is/);
});
