// Promise P1, rule 20. A takeover brings a member forward with puts that it gives up, or whose delete only it
// has, and dies before the member has heard of that. Whoever leads next must not take the member's log for
// shards: clients that try again would be told that their puts are done.

import { equalBytes } from '../../base/bytes.ts';
import { copies, erasure, type Geometry, slotCount } from '../../map/geometry.ts';
import { slotsIn } from '../../map/pg-record.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

/** More than one message brings a member, so that it can be stopped in between. */
const putCount = 20;

interface Scene {
  readonly stage: Stage;
  readonly old: SimulatedOsd;
  readonly others: readonly SimulatedOsd[];
  readonly head: (osd: SimulatedOsd) => number;
  readonly isMissing: (osd: SimulatedOsd) => boolean;
  /** Puts twenty blobs, without waiting for an answer. */
  readonly putAll: () => Promise<readonly Promise<void>[]>;
  /** By a client that dies at once, and never asks again. */
  readonly deleteAll: () => Promise<void>;
  /** The clients were told that all is done: each is there, on every disk, but those whose deletes were kept. */
  readonly end: (puts: readonly Promise<void>[], deletedCount?: number) => Promise<void>;
}

async function begin(geometry: Geometry): Promise<Scene> {
  const stage = new Stage(slotCount(geometry), copies(3, 2), false, geometry);
  const { cluster } = stage;
  const client = await stage.start();
  const layout = client.activeLayout('data');
  const pg = stage.dataPg;
  const old = stage.leadOf(pg);
  const others = cluster.osds.filter((osd) => osd !== old);
  const blobs = await client.allocateBlobs(putCount);
  const each = Array.from({ length: putCount }, (_, at) => ({
    blob: { ...blobs, counter: blobs.counter + at },
    bytes: new Uint8Array(90_000 + at).fill(at + 1),
  }));
  return {
    stage,
    old,
    others,
    head: (osd) => osd.osd?.memberOf(pg)?.disk.head.sequence ?? 0,
    isMissing: (osd) => (osd.osd?.memberOf(pg)?.disk.missingCount ?? 0) > 0,
    putAll: async () => {
      const puts = each.map(({ blob, bytes }) => client.putBlob(layout, blob, [bytes]));
      for (const put of puts) put.catch(() => {});
      await stage.run(300);
      return puts;
    },
    deleteAll: async () => {
      const other = await cluster.clientProcess();
      for (const { blob } of each) other.client.deleteBlob(layout, blob).catch(() => {});
      await stage.run(300);
      other.process.kill();
    },
    end: async (puts, deletedCount = 0) => {
      await cluster.settle(Promise.all(puts), 'the puts', 120_000);
      await cluster.untilClean(200_000);
      await stage.run(2000);
      await stage.compare();
      const isWhole = (osd: SimulatedOsd): boolean =>
        osd.osd?.memberOf(pg)?.disk.isComplete === true;
      stage.expect(cluster.osds.every(isWhole), 'nobody misses anything');
      cluster.killOsd(old.id);
      for (const { blob, bytes } of each.slice(deletedCount)) {
        const range = { offsetBytes: 0, lengthBytes: bytes.length };
        const read = cluster.settle(client.readBlob(layout, blob, range), 'a read', 60_000);
        stage.expect(equalBytes(await read, bytes), 'a blob is what was written');
      }
      stage.end();
    },
  };
}

/**
 * Puts that only one disk holds are given up by another that takes over, and dies in between; the holder has heard
 * that they are given up, or has not.
 */
export async function givenUpHalfWay(): Promise<void> {
  for (const hasHeard of [false, true]) {
    const { stage, old, others, head, isMissing, putAll, end } = await begin(erasure(2, 2));
    const { cluster } = stage;
    const pg = stage.dataPg;
    for (const other of others) cluster.network.cut(`osd.${old.id}`, `osd.${other.id}`);
    const puts = await putAll();
    const before = Math.min(...others.map(head));
    stage.expect(head(old) === before + putCount, 'one disk has all puts');
    // It is well, but does not lead.
    for (const other of others) cluster.network.reset(`osd.${old.id}`, `osd.${other.id}`);
    await stage.depose(old);
    cluster.network.heal();
    await cluster.until('another to lead', () => stage.leadOf(pg) !== old, 20_000);
    const lead = stage.leadOf(pg);
    if (!hasHeard) await deafen(stage, lead, old);
    const members = others.filter((osd) => osd !== lead);
    const isHalfWay = (osd: SimulatedOsd): boolean => head(osd) > before;
    await cluster.until('a member half-way', () => members.some(isHalfWay), 30_000);
    const member = members.find(isHalfWay) as SimulatedOsd;
    stage.expect(
      members.every((osd) => head(osd) < before + putCount),
      'nobody has heard of all',
    );
    stage.expect(isMissing(member), 'the member knows that it has no shards');
    cluster.killOsd(lead.id);
    if (!hasHeard) await restartDeaf(stage, old);
    await cluster.until('the next to lead', () => stage.leadOf(pg) !== lead, 30_000);
    await stage.run(5000);
    await cluster.startOsd(lead.id);
    await end(puts);
  }
}

/** It tells the lead what it has, and persists nothing from then on. */
async function deafen(stage: Stage, lead: SimulatedOsd, osd: SimulatedOsd): Promise<void> {
  const link = () => lead.osd?.primaryOf(stage.dataPg)?.links.get(osd.uuid);
  await stage.cluster.until('the logs', () => link()?.collected !== undefined, 20_000);
  osd.files.fault = ({ kind }) => (kind === 'rows-sync' ? 'hang' : undefined);
}

async function restartDeaf(stage: Stage, osd: SimulatedOsd): Promise<void> {
  stage.cluster.killOsd(osd.id, { power: true });
  osd.files.fault = () => undefined;
  await stage.cluster.startOsd(osd.id);
}

/**
 * Puts that two disks have, and whose deletes only one of them. Another adopts both, and brings the last one forward;
 * then all that have the deletes die. What the last one lacks is filled before it is served from.
 */
export async function deletedHalfWay(): Promise<void> {
  for (const which of [0, 1, 2]) {
    const scene = await begin(copies(4, 2));
    const { stage, old, others, head, isMissing, putAll, deleteAll, end } = scene;
    const { cluster } = stage;
    const pg = stage.dataPg;
    const holder = others[which] as SimulatedOsd;
    const before = head(old);
    for (const osd of others)
      if (osd !== holder) cluster.network.cut(`osd.${old.id}`, `osd.${osd.id}`);
    const puts = await putAll();
    stage.expect(head(holder) === before + putCount, 'the holder has all puts');
    cluster.network.cut(`osd.${old.id}`, `osd.${holder.id}`);
    await deleteAll();
    stage.expect(head(old) === before + 2 * putCount, 'one disk has all deletes');
    for (const osd of others) cluster.network.reset(`osd.${old.id}`, `osd.${osd.id}`);
    await stage.depose(old);
    cluster.network.heal();
    await cluster.until('another to lead', () => stage.leadOf(pg) !== old, 20_000);
    const lead = stage.leadOf(pg);
    if (lead === holder) continue;
    const member = others.find((osd) => osd !== lead && osd !== holder) as SimulatedOsd;
    await deafen(stage, lead, holder);
    await cluster.until('a member half-way', () => head(member) > before, 30_000);
    stage.expect(head(member) < before + putCount, 'the member has not heard of all');
    stage.expect(isMissing(member), 'the member knows that it has no shards');
    for (const osd of [old, lead]) cluster.killOsd(osd.id, { power: true });
    await restartDeaf(stage, holder);
    // What was on its way to the disk when the power was cut may be there.
    const deletedCount = head(holder) - before - putCount;
    await cluster.until('others to be in-sync', () => inSync(stage, lead) === 2, 60_000);
    await cluster.until(
      'it to serve',
      () => stage.leadOf(pg).osd?.primaryOf(pg)?.isServing === true,
      60_000,
    );
    await stage.compare();
    for (const osd of [old, lead]) await cluster.startOsd(osd.id);
    await end(puts, deletedCount);
  }
}

function inSync(stage: Stage, lead: SimulatedOsd): number {
  const record = stage.cluster.monitor.records.get(stage.dataPg);
  if (record === undefined || record.primary === lead.uuid) return 0;
  return slotsIn(record, 'in-sync').length;
}
