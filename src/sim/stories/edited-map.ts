// A map that somebody edited by hand, while it is in force at the monitor: the OSDs know better and refuse it. Nothing is
// given up by what it says, and nobody who knows no other map is shown it.

import type { PgId } from '../../base/ids.ts';
import { findPool, type Layout } from '../../map/cluster-map.ts';
import { copies, erasure, type Geometry } from '../../map/geometry.ts';
import { slotsIn } from '../../map/pg-record.ts';
import { MonError } from '../../mon/errors.ts';
import { addLayout } from '../../mon/layouts.ts';
import type { MonState } from '../../mon/state.ts';
import { editMapStore, withLayouts } from '../map-store-edit.ts';
import { tell } from '../recording.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage, watched } from '../stage.ts';

/** Edits what the pool `data` began with, and starts the monitor with it. */
async function editData({ cluster }: Stage, geometry: Geometry): Promise<void> {
  const data = findPool(cluster.monitor.map, 'data')?.id;
  tell(cluster, `the layout of data is edited to ${geometry.kind}`);
  await editMapStore(
    cluster,
    (state): MonState => ({
      ...state,
      map: withLayouts(state.map, ({ id }, pool) =>
        pool === data && id === 1 ? { geometry } : {},
      ),
    }),
  );
  await cluster.startMonitor();
}

/**
 * The index is edited to be erasure-coded while a disk is away, so that it looks like a pool that can take no writes: it
 * gets no layout to go on with, where nothing would be of all that is in its own.
 */
export async function laidOutByAnEditedMap(): Promise<void> {
  const stage = new Stage(3, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const away = stage.members[0]?.id ?? 0;
  cluster.killOsd(away);
  await stage.depose(cluster.osds[away] as SimulatedOsd);
  const edit = async (geometry: Geometry): Promise<void> => {
    tell(cluster, `the layout of .index is edited to ${geometry.kind}`);
    await editMapStore(cluster, (state) => ({
      ...state,
      map: withLayouts(state.map, ({ id }, pool) => (pool === 1 && id === 1 ? { geometry } : {})),
    }));
    await cluster.startMonitor();
  };
  await edit(erasure(2, 1));
  for (let seconds = 0; seconds < 30; seconds++) {
    await stage.run(1000);
    const layouts = findPool(cluster.monitor.map, '.index')?.layouts.length;
    stage.expect(layouts === 1, `an index that was edited has ${layouts} layouts`);
  }
  stage.expect((await stage.set(client, 'k=2')) === '1', 'it is as it was');
  await edit(copies(2, 1));
  await cluster.startOsd(away);
  await cluster.untilClean();
  stage.expect((await stage.set(client, 'k')) === '2', 'and is in the end');
  await stage.compare();
  stage.end();
}

/** Somebody gave the index an erasure-coded layout for the time being: nobody takes that for an empty index. */
export async function askedWhereNoObjectsAre(): Promise<void> {
  const stage = new Stage(3, copies(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  await addInterim(stage, '.index');
  await cluster.until(
    'a group of it to serve',
    () => cluster.osds.some(({ osd }) => osd?.primaryOf('1.2.0' as PgId)?.isServing === true),
    20_000,
  );
  const write = watched(stage.row(client, 'k=2'));
  await stage.run(1000);
  stage.expect(!write.isDone(), 'nothing is written where nothing of the index is');
  await cluster.until(
    'its own to be the active one again',
    () => findPool(cluster.monitor.map, '.index')?.layouts.at(-1)?.id === 1,
    60_000,
  );
  const before = await stage.set(client, 'k=3');
  // Who waited may have given up.
  stage.expect(before === '1' || before === '2', `what was written is read: ${before}`);
  await cluster.untilClean();
  await stage.compare();
  stage.end();
}

/** An erasure-coded layout, the active one from now on. */
async function addInterim({ cluster }: Stage, name: string): Promise<void> {
  tell(cluster, `${name} gets an interim layout by hand`);
  await editMapStore(cluster, (state) => {
    const pool = findPool(state.map, name);
    const rule = pool?.layouts[0]?.rule;
    if (pool === undefined || rule === undefined) throw new Error(`there is no ${name}`);
    const wish = { geometry: erasure(1, 1), rule, pgCount: 2, purpose: 'interim' } as const;
    let nonces = 0;
    return addLayout(state, pool, wish, () => `by-hand-${nonces++}`) ?? state;
  });
  await cluster.startMonitor();
}

/** Who looks at the edited map would say that two of three disks may go. */
export async function givenUpByAnEditedMap(): Promise<void> {
  const stage = new Stage(5, copies(3, 2), false, erasure(2, 1), 2);
  const { cluster } = stage;
  await stage.set(await stage.start(), 'k=1');
  const pg = stage.dataPg;
  const record = cluster.monitor.records.get(pg);
  const named = record === undefined ? [] : slotsIn(record, 'in-sync').slice(0, 2);
  const ids = new Set(named.map(({ osd }) => osd));
  /** Why they were not given up, or what was said to be lost. */
  const ask = async (): Promise<string> => {
    let losses: readonly string[] = [];
    const giveUp = cluster.monitor.losses.destroyOsds(ids, (lines) => {
      losses = lines;
      throw new MonError('refused', 'not accepted');
    });
    const answer = giveUp.then(
      () => 'they are given up',
      (error: unknown) => (losses.length > 0 ? losses.join('\n') : String(error)),
    );
    return cluster.settle(answer, 'giving two up', 20_000);
  };
  await editData(stage, copies(3, 2));
  let answer = '';
  for (let attempts = 0; attempts < 40; attempts++) {
    answer = await ask();
    stage.expect(answer.startsWith('MonError'), `nothing is judged by it: ${answer}`);
    await stage.run(250);
  }
  stage.expect(/osd\.\d refuses the cluster map, so that nobody can say what/.test(answer), answer);
  // Those who know better may be gone by the time somebody asks.
  for (const { id } of cluster.osds) cluster.killOsd(id);
  await stage.run(1000);
  answer = await ask();
  stage.expect(
    /osd\.\d refused the cluster map before it was lost from sight/.test(answer),
    answer,
  );
  for (const { id } of cluster.osds) await cluster.startOsd(id);
  await editData(stage, erasure(2, 1));
  await cluster.untilClean();
  await stage.run(5000);
  answer = await ask();
  stage.expect(answer.includes('LOST: everything in it; 1 of the 2 disks'), answer);
  stage.end();
}

/** A gateway that starts, and a new disk. */
export async function shownAnEditedMap(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), false, erasure(2, 1), 2);
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  await cluster.addOsd('host-4');
  await cluster.untilClean();
  cluster.killOsd(4);
  await stage.run(10_000);
  await editData(stage, erasure(3, 1));
  let isReady = false;
  const coming = cluster.clientOnceReady().then((late) => {
    isReady = true;
    return late;
  });
  await cluster.replaceDisk(4);
  await cluster.startOsd(4);
  await stage.run(20_000);
  stage.expect(!isReady, 'a client waits for a map that OSDs take');
  stage.expect(cluster.monitor.map.osds[4]?.up === false, 'so does a disk');
  await stage.set(client, 'k=2');
  await editData(stage, erasure(2, 1));
  const late = await cluster.settle(coming, 'the client that waited', 40_000);
  await cluster.untilClean();
  stage.expect((await stage.set(late.client, 'k')) === '2', 'it reads what was written');
  await stage.compare();
  stage.end();
}

/** A gateway that starts while no OSD reaches the monitor, so that nobody can say that the map is wrong. */
export async function nobodyThereToRefuseTheMap(): Promise<void> {
  const stage = new Stage(3, copies(3, 2), false, erasure(2, 1), 1);
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const osds = cluster.osds.map(({ id }) => `osd.${id}`);
  let refused = '';
  const { onLog } = cluster;
  cluster.onLog = (line) => {
    onLog?.(line);
    if (line.event === 'cluster map refused' && line.process === 'client.1') refused = line.event;
  };
  for (const osd of osds) stage.part(osd, ['mon']);
  await editData(stage, copies(3, 2));
  let isReady = false;
  const coming = cluster.clientOnceReady().then((late) => {
    isReady = true;
    return late;
  });
  await stage.run(20_000);
  stage.expect(!isReady, 'a client waits for a map that OSDs take');
  await editData(stage, erasure(2, 1));
  cluster.network.heal();
  const late = await cluster.settle(coming, 'the client that waited', 40_000);
  await cluster.untilClean();
  stage.expect((await stage.set(late.client, 'k')) === '1', 'it reads what was written');
  await stage.run(5000);
  stage.expect(refused === '', 'and takes the map that is right');
  stage.end();
}

/** A pool of copies that somebody gave an interim layout goes back to its own. */
export async function interimOfAnEditedMap(): Promise<void> {
  const stage = new Stage(4, copies(3, 2), false, copies(3, 2), 1);
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const layouts = (): readonly Layout[] => findPool(cluster.monitor.map, 'data')?.layouts ?? [];
  await addInterim(stage, 'data');
  await stage.run(2000);
  stage.expect(layouts().length === 2, 'the interim layout is the active one');
  await cluster.until('the only layout', () => layouts().length === 1, 60_000);
  await cluster.untilClean();
  stage.expect(layouts()[0]?.purpose === 'own', 'the pool is what it was');
  stage.expect((await stage.set(client, 'k')) === '1', 'and serves');
  stage.end();
}
