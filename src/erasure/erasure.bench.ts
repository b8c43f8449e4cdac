// GB/s of data that the codec encodes, and decodes with m shards lost, on one core: 64 KiB chunks,
// warm, with the copies into and out of WebAssembly memory.

import { pathToFileURL } from 'node:url';
import { ErasureCodec } from './erasure-codec.ts';

export interface ErasureRate {
  readonly k: number;
  readonly m: number;
  readonly encodeGBps: number;
  readonly decodeGBps: number;
}

const chunkBytes = 64 * 1024;
const runMs = 150;
const runsMax = 5;

/** The best of a few runs: what else the machine does only ever makes one slower. */
function measureGBps(bytes: number, work: () => void): number {
  let best = 0;
  for (let run = 0; run < runsMax; run++) {
    const begin = performance.now();
    let count = 0;
    let elapsedMs = 0;
    while (elapsedMs < runMs) {
      for (let i = 0; i < 32; i++) work();
      count += 32;
      elapsedMs = performance.now() - begin;
    }
    best = Math.max(best, (count * bytes) / elapsedMs / 1e6);
  }
  return best;
}

export function benchErasure(): ErasureRate[] {
  return [
    [2, 1],
    [3, 2],
    [4, 2],
    [8, 3],
  ].map(([k = 0, m = 0]) => {
    const codec = new ErasureCodec(k, m);
    const shards = Array.from({ length: k + m }, (_, i) =>
      new Uint8Array(chunkBytes).map((_, at) => (i * 31 + at * 7 + (at >> 8)) & 255),
    );
    const data = shards.slice(0, k);
    const parity = shards.slice(k);
    const encodeGBps = measureGBps(k * chunkBytes, () => codec.encode(data, parity));
    const lost = Array.from({ length: m }, (_, i) => i);
    const targets = lost.map(() => new Uint8Array(chunkBytes));
    const rest = shards.map((shard, i) => (i < m ? undefined : shard));
    const decodeGBps = measureGBps(k * chunkBytes, () =>
      codec.reconstructInto(rest, lost, targets),
    );
    return { k, m, encodeGBps, decodeGBps };
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  for (const { k, m, encodeGBps, decodeGBps } of benchErasure())
    console.log(
      `erasure ${k}+${m}  encode ${encodeGBps.toFixed(1)} GB/s  decode ${m} lost ${decodeGBps.toFixed(1)} GB/s`,
    );
