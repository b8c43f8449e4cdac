// PROTOCOL rule 32, docs/decisions/0028-handing-over-names.md: one large object whose way to another placement group is
// broken off. Half of its rows have gone when the two can't reach each other: it is read and not written; turned back, it
// is written again, and what had gone is not there when it goes anew. Then it goes, is turned back before its old rows
// are removed, and loses all its rows where it is: where it came from, it has none either.

import { decodeUtf8, emptyBytes, encodeUtf8 } from '../../base/bytes.ts';
import type { Method, Methods } from '../../base/method.ts';
import type { ClusterClient } from '../../client/cluster-client.ts';
import { copies } from '../../map/geometry.ts';
import { HandOverStage } from '../hand-over-stage.ts';
import { tell } from '../recording.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { watched } from '../stage.ts';

/** Some messages of rows, and many entries of removals. */
const rowCount = 4000;
const filledAtOnce = 1000;

/** From when it is frozen; most of its rows are still to go. */
const partsAfterMs = 6;

const value = new Uint8Array(512).fill(7);

function keyOf(index: number): Uint8Array {
  return encodeUtf8(String(index).padStart(6, '0'));
}

const everything = { begin: emptyBytes, end: undefined, limit: 10_000 };

/** `N`: rows from N on. */
const fill: Method = async (_, argument) => ({
  effects: Array.from({ length: filledAtOnce }, (_, index) => ({
    kind: 'put',
    key: keyOf(Number(decodeUtf8(argument)) + index),
    value,
  })),
  result: emptyBytes,
});

/** Removes a row, or all of them. */
const remove: Method = async (view, argument) => ({
  effects: (await view.scan(everything))
    .filter(([key]) => argument.length === 0 || decodeUtf8(key) === decodeUtf8(argument))
    .map(([key]) => ({ kind: 'delete', key })),
  result: emptyBytes,
});

const count: Method = async (view) => ({
  effects: [],
  result: encodeUtf8(String((await view.scan(everything)).length)),
});

const methods: Methods = new Map([
  ['fill', fill],
  ['remove', remove],
  ['count', count],
]);

class Story extends HandOverStage {
  #client: ClusterClient | undefined;

  constructor() {
    super(8, copies(2, 1), false, undefined, 1, methods);
  }

  async begin(): Promise<void> {
    this.#client = await this.start();
    for (let from = 0; from < rowCount; from += filledAtOnce) await this.call('fill', String(from));
  }

  ask(method: string, argument = ''): Promise<Uint8Array> {
    const client = this.#client as ClusterClient;
    return client.call('.index', 'large', method, encodeUtf8(argument));
  }

  async call(method: string, argument = ''): Promise<string> {
    const answer = await this.cluster.settle(this.ask(method, argument), method, 40_000);
    return decodeUtf8(answer);
  }

  async has(rows: number): Promise<void> {
    const found = await this.call('count');
    this.expect(found === String(rows), `${found} rows are there, not ${rows}`);
    tell(this.cluster, `it has ${rows} rows`);
  }

  async arrivedAt({ osd }: SimulatedOsd): Promise<number> {
    const rows = osd?.memberOf(this.groupIn(2, 'large'))?.disk.scanRows('large', everything);
    if (rows === undefined) throw new Error('nobody is there');
    return (await this.cluster.settle(rows, 'a look at the disk')).length;
  }
}

export async function nameTurnedBack(): Promise<void> {
  const stage = new Story();
  const { cluster } = stage;
  await stage.begin();

  const { here, there } = await stage.apart('large', 4);
  const { slots } = cluster.monitor.records.get(stage.groupIn(1, 'large')) ?? { slots: [] };
  stage.expect(!slots.some(({ osd }) => osd === there.id), 'its old group does without that disk');

  // Half of it has gone when they part.
  await stage.migrate('running');
  await stage.logged('name frozen', () => {});
  await stage.run(partsAfterMs);
  stage.part(`osd.${here.id}`, [`osd.${there.id}`]);
  await stage.run(1000);
  const arrived = await stage.arrivedAt(there);
  stage.expect(arrived > 0 && arrived < rowCount, `${arrived} rows have gone`);
  await stage.has(rowCount);
  const written = watched(stage.ask('remove', '000001'));
  await stage.run(3000);
  stage.expect(!written.isDone(), 'it is not written on its way');

  // Turned back, it is written again; asked for again, what had gone is not among what goes.
  await stage.migrate('paused');
  await stage.turnBack();
  await cluster.until('it to be written', written.isDone, 20_000);
  await stage.has(rowCount - 1);
  cluster.network.heal();
  await stage.run(8000);
  await stage.go(4);
  const lead = (): SimulatedOsd => stage.leadIn(1, 'large');
  const handedOver = stage.logged('name handed over', () => cluster.killOsd(lead().id));
  await stage.migrate('running');
  await handedOver;

  // Its old rows are there yet when it is turned back, and its new ones removed.
  await stage.migrate('paused');
  await stage.turnBack();
  await stage.has(rowCount - 1);
  await stage.call('remove');
  await stage.migrate('running');
  for (const { id, osd } of cluster.osds) if (osd === undefined) await cluster.startOsd(id);
  await stage.has(0);
  await stage.untilOver();
  await stage.has(0);
  await stage.run(2000);
  await stage.compare();
  stage.end();
}

/**
 * Before it had been said that it went back, it was to go after all; then all its rows are removed, and it is turned back
 * again. What had arrived the first time is not there.
 */
export async function removedAfterItStayed(): Promise<void> {
  const stage = new Story();
  const { cluster } = stage;
  await stage.begin();
  await stage.apart('large', 4);
  const handedOver = stage.logged('name handed over', () => {});
  await stage.migrate('running');
  await handedOver;
  await stage.migrate('paused');
  await stage.turnBack();
  const { id } = stage.leadIn(2, 'large');
  const arrived = stage.logged('name arrived', () => cluster.killOsd(id));
  await stage.migrate('running');
  await arrived;
  await stage.migrate('paused');
  await stage.go(4);
  await cluster.startOsd(id);
  await stage.has(rowCount);
  await stage.call('remove');
  await stage.has(0);
  await stage.turnBack();
  await stage.migrate('running');
  await stage.untilOver();
  await stage.has(0);
  stage.end();
}
