// PROTOCOL rule 29: a GET never ends short. One that loses a blob on the way breaks off; one that began before its
// object was replaced gets the old bytes to their end, however long that takes and whichever gateway it is at, and only
// then are they collected.

import { equalBytes } from '../../base/bytes.ts';
import { copies } from '../../map/geometry.ts';
import { readWhole } from '../../testing/simulated-http.ts';
import { pattern } from '../pattern.ts';
import { garbageGraceMs, S3Stage } from '../s3-stage.ts';
import { watched } from '../stage.ts';

const mebibyte = 2 ** 20;

export async function getNeverShort(): Promise<void> {
  const s3 = await S3Stage.open(2, copies(2, 1), { budgetBytes: 16 * mebibyte });
  const { stage, gateway } = s3;
  const { cluster } = stage;
  const body = pattern(6, 40 * mebibyte);
  const path = '/bucket/large';
  await s3.expectStatus(200, { method: 'PUT', path, body });
  // The first has the job of collecting.
  const other = await cluster.gateway({ garbageGraceMs, budgetBytes: 16 * mebibyte });
  const read = (at = gateway): Promise<Uint8Array> =>
    at.process.http
      .request(s3.signed({ method: 'GET', path }), (response) =>
        readWhole(response, () => s3.pause(4000)),
      )
      .then((answer) => answer.body);

  let before = body;
  for (const at of [gateway, other]) {
    let old: Uint8Array | undefined;
    const slow = watched(
      read(at).then((bytes) => {
        old = bytes;
      }),
    );
    await stage.run(3000);
    const next = pattern(at === gateway ? 7 : 8, 40 * mebibyte);
    await s3.expectStatus(200, { method: 'PUT', path, body: next });
    await stage.run(20_000);
    stage.expect(!slow.isDone() && !slow.isRefused(), 'the slow reader is still at it');
    await cluster.until('it to end', () => slow.isDone() || slow.isRefused(), 300_000);
    stage.expect(old !== undefined && equalBytes(old, before), 'it got what it began with');
    await s3.expectObject(path, next);
    await stage.run(10_000);
    stage.expect(
      (await s3.blobCount()) === 10,
      'what was replaced is collected when nobody reads it',
    );
    before = next;
  }

  // The last of its blobs is gone for good.
  let short: Uint8Array | undefined;
  const broken = watched(
    read().then((bytes) => {
      short = bytes;
    }),
  );
  await stage.run(3000);
  const client = await cluster.client();
  const layout = client.activeLayout('data');
  const all = { begin: { incarnation: 0, counter: 0 }, end: { incarnation: 1000, counter: 0 } };
  const listing = client.listBlobs('data', { ...all, cursor: undefined, limit: 1000 });
  const last = (await cluster.settle(listing, 'a listing')).blobs.at(-1);
  if (last === undefined) throw new Error('the object has blobs');
  await cluster.settle(client.deleteBlob(layout, last), 'losing a blob');
  await cluster.until('the read to end', () => broken.isDone() || broken.isRefused(), 300_000);
  stage.expect(
    short === undefined,
    `an answer ended after ${short?.length} bytes as if it were whole`,
  );
  stage.end();
}
