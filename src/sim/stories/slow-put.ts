// PROTOCOL rule 28: age alone makes no garbage. A PUT takes ten minutes, where garbage waits for a second and what
// nobody refers to is looked for every five seconds; its writer lives all the time, and the monitor that knows so restarts.

import { erasure } from '../../map/geometry.ts';
import { pattern } from '../pattern.ts';
import { S3Stage } from '../s3-stage.ts';

const mebibyte = 2 ** 20;
/** Who sends nothing for a minute is given up. */
const piecePauseMs = 50_000;
const pieceBytes = 1536 * 1024;

export async function slowPut(): Promise<void> {
  const s3 = await S3Stage.open(3, erasure(2, 1));
  const { cluster } = s3.stage;
  const body = pattern(3, 17 * mebibyte);
  let at = 0;
  const source = {
    next: async () => {
      if (at > 0) await s3.pause(piecePauseMs);
      const piece = body.slice(at, at + pieceBytes);
      at += piece.length;
      return piece.length === 0 ? undefined : piece;
    },
  };
  const request = s3.signed({ method: 'PUT', path: '/bucket/slow', body });
  const put = s3.gateway.process.http.request({ ...request, body: source });
  await s3.stage.run(7 * piecePauseMs);
  s3.stage.expect((await s3.blobCount()) > 0, 'what has come is stored');
  cluster.killMonitor({ power: true });
  await s3.stage.run(1000);
  await cluster.startMonitor();
  const answer = await cluster.settle(put, 'the upload', 20 * piecePauseMs);
  s3.stage.expect(answer.status === 200, `it is answered ${answer.status}`);
  await s3.stage.run(30_000);
  await s3.expectObject('/bucket/slow', body);
  s3.stage.end();
}
