// A bucket's index is split while its keys are written and listed: no key is missed or shown twice, and each is read.

import { decodeUtf8 } from '../../base/bytes.ts';
import { copies } from '../../map/geometry.ts';
import { pattern } from '../pattern.ts';
import { S3Stage } from '../s3-stage.ts';

const keyCount = 24;

export async function indexSplits(): Promise<void> {
  const s3 = await S3Stage.open(3, copies(3, 2), { shardEntriesMax: 4, splitIntervalMs: 500 });
  const { stage } = s3;
  const keyOf = (at: number): string => `key-${String(at).padStart(2, '0')}`;
  const written: string[] = [];
  // From both ends, so that each part of the name space is written to when it is split.
  for (let at = 0; at < keyCount; at++) {
    const index = at % 2 === 0 ? at / 2 : keyCount - (at + 1) / 2;
    await s3.send({ method: 'PUT', path: `/bucket/${keyOf(index)}`, body: pattern(index, 100) });
    written.push(keyOf(index));
    const listing = await s3.send({ method: 'GET', path: '/bucket', query: { 'list-type': '2' } });
    const shown = [...decodeUtf8(listing.body).matchAll(/<Key>(.*?)<\/Key>/g)].map(
      ([, key]) => key,
    );
    stage.expect(shown.join() === [...written].sort().join(), `a listing shows ${shown}`);
    await stage.run(400);
  }
  await stage.run(5000);
  const splits = stage.cluster.logged.get('a shard of an index is split') ?? 0;
  stage.expect(splits >= 3, `the index is in several shards: it was split ${splits} times`);
  for (let at = 0; at < keyCount; at++)
    await s3.expectObject(`/bucket/${keyOf(at)}`, pattern(at, 100));
  stage.end();
}
