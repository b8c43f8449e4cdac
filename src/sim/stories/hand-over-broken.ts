// PROTOCOL rule 32, docs/decisions/0028-handing-over-names.md: hand-overs at whose worst moment something breaks.

import { decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import { ClientError } from '../../client/errors.ts';
import { copies } from '../../map/geometry.ts';
import { HandOverStage } from '../hand-over-stage.ts';
import { watched } from '../stage.ts';

/** Between two new objects: somewhat longer than handing one over takes. Faster, and there would be no end of it. */
const madeEachMs = 20;

/** Rows arrive a second time, long after the object has gone and was written where it is. */
export async function pushHeldBack(): Promise<void> {
  const stage = new HandOverStage(4, copies(3, 1));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=0');
  const { here, there } = await stage.apart('object', 3);
  const frozen = stage.logged('name frozen', () =>
    cluster.network.cut(`osd.${here.id}`, `osd.${there.id}`),
  );
  await stage.migrate('running');
  await frozen;
  await stage.run(20);
  const handedOver = stage.logged('name handed over', () => {});
  await stage.depose(here);
  await handedOver;
  for (let value = 1; value < 6; value++) await stage.set(client, `k=${value}`);
  cluster.network.mend(`osd.${here.id}`, `osd.${there.id}`);
  await stage.run(1000);
  const value = await stage.set(client, 'k');
  stage.expect(value === '5', `what came late was taken: k is ${value}`);
  await stage.untilOver();
  stage.end();
}

/** Who takes the rows dies before anybody else has them. */
export async function takenAndNotKept(): Promise<void> {
  const stage = new HandOverStage(8, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=0');
  const { there } = await stage.apart('object', 4);
  const holdersIn = (layout: number) =>
    cluster.monitor.records
      .get(stage.groupIn(layout, 'object'))
      ?.slots.flatMap(({ uuid }) => cluster.osdOf(uuid) ?? []) ?? [];
  const takers = holdersIn(2);
  stage.expect(!holdersIn(1).some((osd) => takers.includes(osd)), 'they are other disks');
  const others = takers.filter((osd) => osd !== there).map(({ id }) => `osd.${id}`);
  const frozen = stage.logged('name frozen', () => stage.part(`osd.${there.id}`, others));
  await stage.migrate('running');
  await frozen;
  await stage.run(300);
  cluster.killOsd(there.id, { power: true });
  await stage.untilHandedOver();
  const value = await stage.set(client, 'k');
  stage.expect(value === '0', `it came without its rows: k is ${value}`);
  cluster.network.heal();
  await cluster.startOsd(there.id);
  await cluster.untilClean();
  stage.end();
}

/** On its way back all of it has arrived when who sends it dies, before it has said so; then it is to go after all. */
export async function turnedBackOnArrival(): Promise<void> {
  const stage = new HandOverStage(8, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=0');
  await stage.apart('object', 4);
  const handedOver = stage.logged('name handed over', () => {});
  await stage.migrate('running');
  await handedOver;
  await stage.migrate('paused');
  await stage.turnBack();
  const { id } = stage.leadIn(2, 'object');
  const arrived = stage.logged('name arrived', () => cluster.killOsd(id));
  await stage.migrate('running');
  await arrived;
  await stage.go(4);
  await cluster.startOsd(id);
  await stage.set(client, 'k=1');
  await stage.untilOver();
  const value = await stage.set(client, 'k');
  stage.expect(value === '1', `it was written where it was not: k is ${value}`);
  stage.end();
}

/**
 * It has come back, and is about to go after all when it is turned back again: what was to be sent then waits for an answer
 * of the other side.
 */
export async function turnedBackWhileAsking(): Promise<void> {
  const stage = new HandOverStage(8, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=0');
  const { here, there } = await stage.apart('object', 4);
  for (const turn of ['goes', 'comes back']) {
    const handedOver = stage.logged('name handed over', () => {});
    await stage.migrate('running');
    await handedOver;
    await stage.migrate('paused');
    if (turn === 'goes') await stage.turnBack();
  }
  await stage.go(4);
  await stage.run(1000);
  stage.expect(stage.leadIn(1, 'object') === here, 'the same leads here');
  stage.expect(stage.leadIn(2, 'object') === there, 'and there');
  cluster.network.cut(`osd.${here.id}`, `osd.${there.id}`);
  await stage.migrate('running');
  await stage.run(1500);
  await stage.turnBack();
  await stage.run(200);
  cluster.network.mend(`osd.${here.id}`, `osd.${there.id}`);
  await stage.untilOver();
  const value = await stage.set(client, 'k');
  stage.expect(value === '0', `it was taken for empty: k is ${value}`);
  stage.end();
}

/** A group that had sealed itself was turned back to, and is written to since: its seal says nothing of that. */
export async function madeAfterATurn(): Promise<void> {
  const stage = new HandOverStage(4, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const sealed = stage.logged('names handed over', () => {});
  await stage.go(3);
  await sealed;
  await stage.turnBack();
  await stage.untilOver();
  stage.expect(stage.pool.layouts[0]?.id === 1, 'it is where it was');
  await stage.set(client, 'k=0');
  await stage.migrate('paused');
  await stage.go(3);
  await stage.run(2000);
  const value = await stage.set(client, 'k');
  stage.expect(value === '0', `it was said to have gone: k is ${value}`);
  await stage.migrate('running');
  await stage.untilOver();
  stage.expect((await stage.set(client, 'k')) === '0', 'it has gone');
  await cluster.untilClean();
  stage.end();
}

/** The answer to a request is lost, and by the next attempt the object has gone, and its old group, too. */
export async function answerLostInAHandOver(): Promise<void> {
  const stage = new HandOverStage(4, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const name = cluster.processNames().at(-1) as string;
  await stage.set(client, 'k=0');
  const lead = `osd.${stage.leadIn(1, 'object').id}`;
  cluster.network.cut(lead, name);
  const asked = stage.row(client, 'k=1').catch((error: unknown) => {
    if (error instanceof ClientError && error.code === 'unavailable') return 'it is not known';
    throw error;
  });
  await stage.run(100);
  await stage.go(3);
  await stage.untilOver();
  // Until it gives its connection up.
  await stage.run(7000);
  cluster.network.heal();
  const answer = await cluster.settle(asked, 'k=1', 30_000);
  stage.expect(answer === 'it is not known', `it was done twice: before it was ${answer}`);
  stage.expect((await stage.set(client, 'k')) === '1', 'it was done');
  stage.end();
}

/** Nothing is in the old groups, and nobody has said that nothing will be. */
export async function unsealedLayoutStays(): Promise<void> {
  const stage = new HandOverStage(4, copies(2, 1));
  await stage.start();
  await stage.migrate('paused');
  await stage.go(3);
  await stage.run(20_000);
  stage.expect(stage.pool.layouts.length === 2, 'both layouts are there');
  await stage.migrate('running');
  await stage.untilOver();
  stage.end();
}

/** The old group is lost when some have gone, and begins again with nothing: it has forgotten that they went. */
export async function lostInAHandOver(): Promise<void> {
  const stage = new HandOverStage(8, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const names = Array.from({ length: 8 }, (_, at) => `object-${at}`);
  const swap = async (name: string, argument: string): Promise<string> => {
    const call = client.call('.index', name, 'sim.swap', encodeUtf8(argument));
    return decodeUtf8(await cluster.settle(call, `${argument} of ${name}`, 60_000));
  };
  for (const name of names) await swap(name, 'k=0');
  // A byte a second: there is time between two names.
  const { pools } = cluster.monitor;
  await cluster.settle(pools.setMigration('.index', { migrationBytesPerSecond: 1 }), 'the rate');
  const gone: string[] = [];
  const { onLog } = cluster;
  cluster.onLog = (line) => {
    onLog?.(line);
    if (line.event === 'name handed over') gone.push(String(line.fields?.name));
  };
  await stage.go(4);
  await cluster.until('some to go', () => gone.length === 3, 60_000);
  for (const name of names) await swap(name, 'k=1');
  stage.expect(gone.length < names.length - 2, 'most are there yet');

  const pg = stage.groupIn(1, names[0] ?? '');
  const stranger = await cluster.client();
  // Held back, it is not sealed at once.
  await stage.migrate('paused');
  await stage.beginAnew(pg);
  const isServing = (): boolean => stage.leadOf(pg).osd?.primaryOf(pg)?.isServing === true;
  await cluster.until('it to begin', isServing, 20_000);
  // By somebody who has not been told where it is.
  const asked = watched(stranger.call('.index', gone[0] ?? '', 'sim.swap', encodeUtf8('k')));
  await stage.run(10_000);
  stage.expect(!asked.isDone(), 'it does not say that there is nothing');
  stage.expect(!asked.isRefused(), 'it is waited for until that is known');
  await stage.migrate('running');
  for (const name of names) {
    const value = await swap(name, 'k');
    const kept = gone.includes(name) ? '1' : '';
    stage.expect(value === kept, `${name} is ${value}, not ${kept}`);
  }
  await stage.untilHandedOver();
  for (const name of gone) stage.expect((await swap(name, 'k')) === '1', `${name} is there`);
  stage.end();
}

/** Where it went is lost, with all that was in it, and what it had left behind is there yet when it is turned back. */
export async function lostWhereItWent(): Promise<void> {
  const stage = new HandOverStage(8, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=0');
  await stage.apart('object', 4);
  const { id } = stage.leadIn(1, 'object');
  const handedOver = stage.logged('name handed over', () => cluster.killOsd(id));
  await stage.migrate('running');
  await handedOver;
  await stage.migrate('paused');
  await stage.set(client, 'k=1');
  await stage.beginAnew(stage.groupIn(2, 'object'));
  await stage.turnBack();
  await cluster.startOsd(id);
  await stage.migrate('running');
  await stage.untilHandedOver();
  const value = await stage.set(client, 'k');
  stage.expect(value === '', `what had been left behind is served: k is ${value}`);
  stage.end();
}

/** New ones come to be all the while, also when the last of the old ones has gone. */
export async function madeWhileSealing(): Promise<void> {
  const stage = new HandOverStage(4, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const names: string[] = [];
  let isOver = false;
  const make = async (): Promise<void> => {
    while (!isOver) {
      const name = `object-${names.length}`;
      await client.call('.index', name, 'sim.swap', encodeUtf8('k=0'));
      names.push(name);
      await new Promise<void>((resolve) => {
        cluster.scheduler.after(madeEachMs, 'next object', resolve);
      });
    }
  };
  const making = make();
  making.catch(() => {});
  for (const pgCount of [3, 2, 4, 1]) {
    await stage.go(pgCount);
    await stage.untilHandedOver();
  }
  isOver = true;
  await cluster.settle(making, 'the last object');
  stage.expect(names.length > 300, `${names.length} were made`);
  for (const name of names) {
    const call = client.call('.index', name, 'sim.swap', encodeUtf8('k'));
    const value = decodeUtf8(await cluster.settle(call, name));
    stage.expect(value === '0', `${name} is ${value}`);
  }
  stage.end();
}
