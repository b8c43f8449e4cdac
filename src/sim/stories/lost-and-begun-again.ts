// A placement group that lost more disks than it can bear begins again, and keeps what can still be read: of the two
// disks of 2+1 that are gone for good, the shards of older blobs are in the trash of a disk that had left. What is
// given up never comes back, also when one of the lost disks is taken back after all (PROTOCOL rules 16, 18, 23).

import { equalBytes } from '../../base/bytes.ts';
import type { BlobId, OsdId, PgId } from '../../base/ids.ts';
import type { LayoutRef } from '../../client/cluster.ts';
import type { ClusterClient } from '../../client/cluster-client.ts';
import { ClientError } from '../../client/errors.ts';
import { copies, erasure } from '../../map/geometry.ts';
import type { PgRecord } from '../../map/pg-record.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage } from '../stage.ts';

const blobBytes = 70_000;

/** Blobs of one layout, and what the answer to reading one is. */
class Blobs {
  readonly #stage: Stage;
  readonly #client: ClusterClient;
  readonly #first: BlobId;
  readonly #layouts = new Map<number, LayoutRef>();

  constructor(stage: Stage, client: ClusterClient, first: BlobId) {
    this.#stage = stage;
    this.#client = client;
    this.#first = first;
  }

  #at(at: number): BlobId {
    return { ...this.#first, counter: this.#first.counter + at };
  }

  #layoutOf(at: number): LayoutRef {
    return this.#layouts.get(at) as LayoutRef;
  }

  /** Where new blobs go now: meanwhile to an interim layout. */
  async put(from: number, end: number): Promise<void> {
    for (let at = from; at < end; at++) {
      const bytes = new Uint8Array(blobBytes).fill(at + 1);
      this.#layouts.set(at, this.#client.activeLayout('data'));
      const put = this.#client.putBlob(this.#layoutOf(at), this.#at(at), [bytes]);
      await this.#stage.cluster.settle(put, `putting blob ${at}`);
    }
  }

  delete(at: number): Promise<void> {
    const done = this.#client.deleteBlob(this.#layoutOf(at), this.#at(at));
    return this.#stage.cluster.settle(done, `deleting blob ${at}`);
  }

  /** The answer comes at once, whatever it is. */
  async expect(what: 'whole' | 'lost', from: number, end: number): Promise<void> {
    for (let at = from; at < end; at++) {
      const range = { offsetBytes: 0, lengthBytes: blobBytes };
      const read = this.#client.readBlob(this.#layoutOf(at), this.#at(at), range).then(
        (bytes) => (equalBytes(bytes, new Uint8Array(blobBytes).fill(at + 1)) ? 'whole' : 'wrong'),
        (error: unknown) => (error instanceof ClientError ? error.code : String(error)),
      );
      const found = await this.#stage.cluster.settle(read, `reading blob ${at}`, 1000);
      this.#stage.expect(found === what, `blob ${at} is ${found}, not ${what}`);
    }
  }
}

interface Lost {
  readonly stage: Stage;
  readonly blobs: Blobs;
  readonly pg: PgId;
  readonly gone: readonly [SimulatedOsd, SimulatedOsd];
  readonly left: SimulatedOsd;
  /** Was taken out before they were lost, and has older shards in its trash. */
  readonly former: SimulatedOsd;
}

/** Blobs 0 to 5 are older than a change of disks, 6 to 11 came after it; then two disks are given up. */
async function loseTwo(): Promise<Lost> {
  const stage = new Stage(6, copies(3, 2), false, erasure(2, 1));
  const { cluster } = stage;
  const client = await stage.start();
  const blobs = new Blobs(stage, client, await client.allocateBlobs(20));
  await blobs.put(0, 6);
  // The pool will have another layout, and other groups, for as long as it lacks disks.
  const pg = stage.dataPg;
  const record = (): PgRecord => cluster.monitor.records.get(pg) as PgRecord;
  const leaving = cluster.osdOf(record().slots[2]?.uuid) as SimulatedOsd;
  await cluster.settle(cluster.monitor.markOut(leaving.id), 'taking one out');
  await cluster.untilClean(200_000);
  await stage.run(3000);
  stage.expect(cluster.logged.has('placement group in the trash'), 'what it had is in its trash');
  await blobs.put(6, 12);
  // Two of three go, the one that took its place among them.
  const gone = [1, 2].map((at) => cluster.osdOf(record().slots[at]?.uuid)) as [
    SimulatedOsd,
    SimulatedOsd,
  ];
  const left = cluster.osdOf(record().slots[0]?.uuid) as SimulatedOsd;
  for (const osd of gone) {
    cluster.killOsd(osd.id);
    await stage.depose(osd);
  }
  await cluster.settle(cluster.monitor.markIn(leaving.id), 'taking it in again');
  await stage.run(5000);
  return { stage, blobs, pg, gone, left, former: leaving };
}

async function refusalOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => '',
    (error: unknown) => String(error),
  );
}

export async function lostAndBegunAgain(): Promise<void> {
  const { stage, blobs, pg, gone, left, former } = await loseTwo();
  const { cluster } = stage;
  const { monitor } = cluster;
  const how = { kind: 'mark-lost', acceptedBy: 'the operator' } as const;
  const named: string[] = [];
  const early = refusalOf(monitor.losses.beginAgain([pg], how, () => {}));
  stage.expect(
    /may come back: start it/.test(await cluster.settle(early, 'asking early')),
    'not before those that held everything are given up by name',
  );
  const ids = new Set<OsdId>(gone.map(({ id }) => id));
  await cluster.settle(
    monitor.losses.destroyOsds(ids, () => {}),
    'giving them up',
  );
  stage.expect(
    monitor.losses.lossesOfPgs([pg], 'mark-lost').advice.some((each) => /osd undestroy/.test(each)),
    'taking them back is named first',
  );
  const begin = monitor.losses.beginAgain([pg], how, ({ lines }) => named.push(...lines));
  await cluster.settle(begin, 'beginning again');
  stage.expect(named.length === 1 && /LOST/.test(named[0] ?? ''), named.join());
  // Whoever begins may die on the way, and begins again; who does not answer has not said that it has nothing.
  stage.part(`osd.${former.id}`, [`osd.${left.id}`]);
  await stage.restart(left);
  await stage.run(15_000);
  const primary = left.osd?.primaryOf(pg);
  stage.expect(
    primary?.isServing === false,
    `it waits for the one that does not answer: ${primary?.describe()}`,
  );
  cluster.network.heal();
  await cluster.until('it to serve', () => left.osd?.primaryOf(pg)?.isServing === true, 60_000);
  await blobs.expect('whole', 0, 6);
  await blobs.expect('lost', 6, 12);
  await stage.run(2000);
  const again = refusalOf(monitor.losses.beginAgain([pg], how, () => {}));
  stage.expect(
    /is served|nothing of it is lost/.test(await cluster.settle(again, 'asking again')),
    'it is not lost now',
  );
  await cluster.untilClean(200_000);
  await blobs.delete(6);
  await blobs.delete(0);
  await blobs.put(12, 15);
  // One of the lost is found in a drawer: it has nothing that anybody wants.
  const [back] = gone;
  await cluster.settle(monitor.losses.undestroyOsds(new Set([back.id])), 'taking one back');
  await cluster.startOsd(back.id);
  await stage.run(10_000);
  await cluster.untilClean(200_000);
  await blobs.expect('lost', 0, 1);
  await blobs.expect('whole', 1, 6);
  await blobs.expect('lost', 6, 12);
  await blobs.expect('whole', 12, 15);
  await stage.compare();
  stage.end();
}

export async function lostAndBegunEmpty(): Promise<void> {
  const { stage, blobs, pg, gone } = await loseTwo();
  const { cluster } = stage;
  const { monitor } = cluster;
  const ids = new Set<OsdId>(gone.map(({ id }) => id));
  await cluster.settle(
    monitor.losses.destroyOsds(ids, () => {}),
    'giving them up',
  );
  const how = { kind: 'force-create', acceptedBy: 'the operator' } as const;
  stage.expect(
    monitor.losses.lossesOfPgs([pg], how.kind).advice.some((each) => /mark-lost/.test(each)),
    'what keeps more is named',
  );
  await cluster.settle(
    monitor.losses.beginAgain([pg], how, () => {}),
    'beginning anew',
  );
  await cluster.untilClean(200_000);
  await blobs.expect('lost', 0, 12);
  await blobs.put(12, 15);
  for (const osd of gone) {
    await cluster.settle(monitor.losses.undestroyOsds(new Set([osd.id])), 'taking one back');
    await cluster.startOsd(osd.id);
  }
  await stage.run(10_000);
  await cluster.untilClean(200_000);
  await blobs.expect('lost', 0, 12);
  await blobs.expect('whole', 12, 15);
  await stage.compare();
  await cluster.settle(monitor.losses.forgetLosses([pg]), 'forgetting the loss');
  stage.end();
}
