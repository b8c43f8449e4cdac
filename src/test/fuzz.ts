// `npm run fuzz -- --count N --seed S`: random S3 requests against a gateway in this process, in rounds of their own
// seeds. Ends at the first answer that is not as it must be, with the seed that repeats it, or when memory grows.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Command } from 'commander';
import { buffers } from '../base/buffer-pool.ts';
import { fuzzRound, type Seen } from '../s3/testing/fuzz/fuzz-round.ts';

/** A round's state is small then, and its seed repeats a failure in a second or two. */
const requestsPerRound = 2000;

/** Caches fill and code is compiled until then. */
const roundsBeforeMeasuring = 10;

/** Of the heap after collection, from the tenth round to the last. */
const growthBytesMax = 24 * 1024 * 1024;

interface Flags {
  readonly count: string;
  readonly seed: string;
  readonly verbose: boolean;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/**
 * What is left when everything that can go has gone, without the pool, which has a bound of its own: what one collection
 * frees may hold more until the next.
 */
async function heapBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let times = 0; times < 4; times++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    const { heapUsed, external } = process.memoryUsage();
    least = Math.min(least, heapUsed + external - buffers.bytes);
  }
  return least;
}

function report(seen: Seen, isVerbose: boolean): void {
  const statuses = new Map<string, number>();
  for (const [outcome, times] of seen) {
    const status = / (\d{3})(?: \S+)?$/.exec(outcome)?.[1] ?? '?';
    statuses.set(status, (statuses.get(status) ?? 0) + times);
    if (isVerbose) console.log(`${String(times).padStart(8)}  ${outcome}`);
  }
  const parts = [...statuses].sort().map(([status, times]) => `${status}: ${times}`);
  console.log(parts.join(', '));
}

async function main({ count, seed, verbose }: Flags): Promise<void> {
  const total = Number(count);
  const first = Number(seed);
  if (!Number.isSafeInteger(total) || total < 1 || !Number.isSafeInteger(first) || first < 0)
    throw new Error('--count and --seed are whole numbers');
  process.on('unhandledRejection', (error) => {
    throw error;
  });
  const seen: Seen = new Map();
  const begun = performance.now();
  let baseBytes = 0;
  let done = 0;
  for (let round = 0; done < total; round++) {
    const requests = Math.min(requestsPerRound, total - done);
    await fuzzRound(first + round, requests, seen);
    done += requests;
    if (round + 1 === roundsBeforeMeasuring) baseBytes = await heapBytes();
    if ((round + 1) % 50 !== 0) continue;
    const growth = (await heapBytes()) - baseBytes;
    const rate = done / ((performance.now() - begun) / 1000);
    console.log(`${done} requests, ${Math.round(rate)}/s, heap ${signed(growth)}`);
    if (growth > growthBytesMax) throw new Error(`the heap grew by ${signed(growth)}`);
  }
  const seconds = (performance.now() - begun) / 1000;
  report(seen, verbose);
  console.log(
    `${done} requests from seed ${first} on in ${seconds.toFixed(1)} s, ${Math.round(done / seconds)}/s: nothing wrong`,
  );
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '-' : '+'}${(Math.abs(bytes) / 2 ** 20).toFixed(1)} MiB`;
}

await new Command('fuzz')
  .option('--count <requests>', 'how many requests', '100000')
  .option('--seed <number>', 'of the first round; each has the next', '1')
  .option('--verbose', 'every outcome of every action, with how often it was seen', false)
  .action(main)
  .parseAsync();
