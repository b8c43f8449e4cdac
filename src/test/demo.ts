// `npm run demo`: what a user fears, done to a real cluster by hand. Files are uploaded over S3 by the AWS
// SDK while OSDs are killed; one disk is wiped, another damaged. Whatever was acknowledged must read back
// with the digest it went in with, at every step, or the demo ends with exit code 1. Prints what it did
// with times and bytes, and the most memory that each process held.
//
// `--big-mib N` makes the big file smaller for a quick look; `--keep` leaves the folder behind.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  createWriteStream,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { inlineBytesLimit } from '../map/cluster-map.ts';
import { ClusterProcess } from './cluster-process.ts';
import { formatMiB, MemoryWatch } from './memory-watch.ts';
import { bytesOf, inParallel, S3Session, sha256 } from './s3-session.ts';

const { values: flags } = parseArgs({
  options: {
    'big-mib': { type: 'string', default: '1024' },
    keep: { type: 'boolean', default: false },
  },
});

const bigBytes = Number(flags['big-mib']) * 2 ** 20;
const bigKey = 'big/one-file.bin';
/** What most clients cut uploads into lies between 5 and 16 MiB. */
const partBytes = 16 * 2 ** 20;
const treeFilesMin = 2000;
const treeWidth = 12;
const partWidth = 2;

/** When the OSDs die, as shares of all bytes uploaded. */
const firstKillAt = 0.35;
const secondKillAt = 0.6;

/**
 * The retries of a client that is meant to survive: ten attempts with the SDK's standard back-off of up
 * to 20 s, and a timeout well above the ten seconds for which a write may wait at the server.
 */
const patient = { attemptsMax: 10, requestTimeoutMs: 60_000 };

/** Sees each answer of the server itself. */
const impatient = { attemptsMax: 1, requestTimeoutMs: 30_000 };

/** How long a disk may take to tell what it holds. */
const usageMs = 5000;

interface Upload {
  readonly key: string;
  readonly path: string;
  readonly bytes: number;
}

/** One line of the table at the end. */
interface Step {
  readonly what: string;
  readonly seconds: number;
  readonly bytes: number | undefined;
  readonly outcome: string;
}

class Demo {
  readonly #folder: string;
  readonly #cluster: ClusterProcess;
  readonly #watch: MemoryWatch;
  readonly #session: S3Session;
  readonly #steps: Step[] = [];
  readonly #begun = performance.now();
  /** SHA-256 of what the server said it has, by key. */
  readonly #acknowledged = new Map<string, string>();
  readonly #sizes = new Map<string, number>();
  #bytesUploaded = 0;
  #requestsUploaded = 0;
  #attempts = 0;

  private constructor(folder: string, cluster: ClusterProcess, watch: MemoryWatch) {
    this.#folder = folder;
    this.#cluster = cluster;
    this.#watch = watch;
    this.#session = new S3Session(cluster.ready, 'demo', patient);
    this.#session.client.middlewareStack.add(
      (next) => (args) => {
        this.#attempts++;
        return next(args);
      },
      { step: 'finalizeRequest', priority: 'low', name: 'countAttempts' },
    );
  }

  static async run(folder: string): Promise<void> {
    const cluster = await ClusterProcess.start(join(folder, 'data'), ['--no-restart']);
    const demo = new Demo(folder, cluster, await MemoryWatch.begin(cluster));
    try {
      demo.#note({
        what: 'start five OSDs, a monitor and a gateway',
        seconds: cluster.startedMs / 1000,
        bytes: undefined,
        outcome: `ready at ${cluster.ready.s3}`,
      });
      await demo.#play();
    } finally {
      demo.#session.close();
      demo.#watch.end();
      const stoppedMs = await cluster.stop();
      demo.#note({
        what: 'stop the cluster',
        seconds: stoppedMs / 1000,
        bytes: undefined,
        outcome: 'stopped',
      });
      demo.#printTable();
    }
    const excesses = demo.#watch.excesses();
    if (excesses.length > 0) throw new Error(`over the memory budget: ${excesses.join(', ')}`);
  }

  async #play(): Promise<void> {
    const uploads = await this.#prepare();
    await this.#session.createBucket();
    const finished = this.#uploadAll(uploads);
    // Seen to below; until then a failure must not end the process from aside.
    finished.catch(() => undefined);
    const allBytes = uploads.reduce((sum, upload) => sum + upload.bytes, 0);
    await this.#reach(allBytes * firstKillAt, finished);
    await this.#killFirst(finished);
    await this.#reach(allBytes * secondKillAt, finished);
    await this.#killSecond();
    await this.#startAgain(1, 'start osd.1 again; the clients try again by themselves', () =>
      this.#cluster.until('every PG takes writes', ({ ready }) => ready),
    );
    await this.#step('finish the uploads', async () => {
      await finished;
      return {
        bytes: allBytes,
        outcome: `${uploads.length} files, ${this.#attempts - this.#requestsUploaded} attempts were repeated`,
      };
    });
    await this.#startAgain(3, 'start osd.3 again and wait until every PG is active+clean', () =>
      this.#cluster.untilClean(),
    );
    await this.#step('wait until what was written meanwhile is 3+2 again', async () => {
      const { pools } = await this.#cluster.until('everything to be moved', ({ pools }) =>
        pools.every(
          ({ layouts, migration }) =>
            layouts.at(-1)?.purpose === 'own' && (migration === null || migration.isMoved),
        ),
      );
      const { migration, geometry } = pools.find(({ name }) => name === 'data') ?? {};
      return {
        bytes: migration?.movedBytes,
        outcome: `${migration?.movedBlobs ?? 0} blobs moved, ${geometry}`,
      };
    });
    await this.#readBack('read everything back and compare SHA-256');
    await this.#wipeDisk(4);
    await this.#damageAndScrub();
    await this.#readBack('read everything back and compare SHA-256');
  }

  // ——— uploads ———

  async #prepare(): Promise<readonly Upload[]> {
    const tree = filesBelow('node_modules').map((path) => ({
      key: `tree/${relative('.', path).split(sep).join('/')}`,
      path,
      bytes: statSync(path).size,
    }));
    if (tree.length < treeFilesMin)
      throw new Error(`node_modules has ${tree.length} files, ${treeFilesMin} are needed`);
    // Small and large ones mixed, the same on every run.
    tree.sort((a, b) => (sha256(Buffer.from(a.key)) < sha256(Buffer.from(b.key)) ? -1 : 1));
    const path = join(this.#folder, 'one-file.bin');
    const file = createWriteStream(path);
    for (let at = 0; at < bigBytes; at += partBytes)
      if (!file.write(bytesOf(`part ${at}`, Math.min(partBytes, bigBytes - at))))
        await once(file, 'drain');
    file.end();
    await once(file, 'close');
    return [{ key: bigKey, path, bytes: bigBytes }, ...tree];
  }

  async #uploadAll(uploads: readonly Upload[]): Promise<void> {
    const [big, ...tree] = uploads;
    if (big === undefined) throw new Error('nothing to upload');
    await Promise.all([
      this.#uploadBig(big),
      inParallel(tree, treeWidth, async ({ key, path }) => {
        const bytes = readFileSync(path);
        await this.#session.put(key, bytes);
        this.#acknowledge(key, sha256(bytes), bytes.length);
        this.#uploaded(bytes.length);
      }),
    ]);
  }

  async #uploadBig({ key, path, bytes }: Upload): Promise<void> {
    const target = { Bucket: this.#session.bucket, Key: key };
    const { client } = this.#session;
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    const numbers = Array.from({ length: Math.ceil(bytes / partBytes) }, (_, index) => index + 1);
    const etags = new Map<number, string>();
    const file = openSync(path, 'r');
    await inParallel(numbers, partWidth, async (PartNumber) => {
      const offset = (PartNumber - 1) * partBytes;
      const Body = Buffer.alloc(Math.min(partBytes, bytes - offset));
      readSync(file, Body, 0, Body.length, offset);
      const part = { ...target, UploadId, PartNumber, Body };
      const { ETag } = await client.send(new UploadPartCommand(part));
      etags.set(PartNumber, ETag ?? '');
      this.#uploaded(Body.length);
    });
    closeSync(file);
    const Parts = numbers.map((PartNumber) => ({ PartNumber, ETag: etags.get(PartNumber) }));
    await client.send(
      new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }),
    );
    this.#acknowledge(key, await digestOfFile(path), bytes);
    // Create and complete.
    this.#requestsUploaded += 2;
  }

  #acknowledge(key: string, digest: string, bytes: number): void {
    this.#acknowledged.set(key, digest);
    this.#sizes.set(key, bytes);
  }

  #uploaded(bytes: number): void {
    this.#bytesUploaded += bytes;
    this.#requestsUploaded++;
  }

  /** Waits until so many bytes are uploaded. */
  async #reach(bytes: number, finished: Promise<void>, limitMs = 120_000): Promise<void> {
    let failure: Error | undefined;
    finished.catch((error: Error) => {
      failure = error;
    });
    for (const deadline = performance.now() + limitMs; this.#bytesUploaded < bytes; ) {
      if (failure !== undefined) throw failure;
      if (performance.now() > deadline)
        throw new Error(`${this.#bytesUploaded} of ${bytes} bytes uploaded in ${limitMs} ms`);
      await delay(20);
    }
  }

  // ——— faults ———

  async #killFirst(finished: Promise<void>): Promise<void> {
    await this.#step('kill -9 osd.1 during the uploads', async () => {
      const before = this.#bytesUploaded;
      await this.#cluster.kill('osd.1');
      await this.#reach(before + bigBytes / 20, finished, 30_000);
      return { bytes: this.#bytesUploaded - before, outcome: 'uploads go on' };
    });
  }

  async #killSecond(): Promise<void> {
    await this.#step('kill -9 osd.3 as well, and write on at once, without retries', async () => {
      await this.#cluster.kill('osd.3');
      const once = new S3Session(this.#cluster.ready, this.#session.bucket, impatient);
      for (let at = 0; at < 8; at++) {
        const bytes = bytesOf(`meanwhile ${at}`, 200_000);
        await once.put(`meanwhile/${at}`, bytes);
        this.#acknowledge(`meanwhile/${at}`, sha256(bytes), bytes.length);
      }
      once.close();
      const { pools } = await this.#cluster.status();
      const now = pools.find(({ name }) => name === 'data')?.layouts.at(-1);
      if (now?.purpose !== 'interim') throw new Error(`data is written as ${JSON.stringify(now)}`);
      return { bytes: undefined, outcome: `8 objects acknowledged, written as ${now.geometry}` };
    });
    await this.#readBack('read back all that was acknowledged so far, with two OSDs dead');
  }

  async #startAgain(osd: number, what: string, until: () => Promise<unknown>): Promise<void> {
    await this.#step(what, async () => {
      await this.#cluster.command('osd', 'start', String(osd));
      await until();
      const { pgs, health } = await this.#cluster.status();
      return {
        bytes: undefined,
        outcome: `${pgs.clean} of ${pgs.total} PGs clean, ${health.status}`,
      };
    });
  }

  async #wipeDisk(osd: number): Promise<void> {
    await this.#step(`kill osd.${osd}, wipe its disk, start it, wait for the rebuild`, async () => {
      const before = await this.#osd(osd);
      await this.#cluster.kill(`osd.${osd}`);
      const { dir } = this.#dirOf(osd);
      for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
      await this.#cluster.command('osd', 'start', String(osd));
      await this.#cluster.untilClean();
      const leastBytes = this.#shardBytes();
      // What a disk holds is told once a second, and later when it has much to do: after the last of it was rebuilt, too.
      const deadline = performance.now() + usageMs;
      let after = await this.#osd(osd);
      while (after.usedBytes < leastBytes && performance.now() < deadline) {
        await delay(100);
        after = await this.#osd(osd);
      }
      if (after.uuid === before.uuid) throw new Error('the wiped disk is taken for the old one');
      if (after.usedBytes < leastBytes)
        throw new Error(`${after.usedBytes} of ${leastBytes} bytes were rebuilt`);
      return { bytes: after.usedBytes, outcome: 'active+clean' };
    });
  }

  /** What each of the five disks has of the objects that are 3+2: what is smaller stands in the index. */
  #shardBytes(): number {
    let bytes = 0;
    for (const size of this.#sizes.values()) if (size > inlineBytesLimit) bytes += size / 3;
    return Math.ceil(bytes);
  }

  async #damageAndScrub(): Promise<void> {
    const sought = bytesOf('part 0', 4096);
    const found = this.#cluster.ready.osds.flatMap(({ id, dir }) => {
      const path = join(dir, 'block');
      const offset = findBlock(path, sought);
      return offset === undefined ? [] : [{ id, path, offset }];
    })[0];
    if (found === undefined) throw new Error('the first 4 KiB of the big file are on no disk');
    const { id, path, offset } = found;
    await this.#step(`flip bytes of the big file in a shard on osd.${id}`, async () => {
      const file = openSync(path, 'r+');
      writeSync(file, sought.map((byte) => byte ^ 0xff).subarray(0, 512), 0, 512, offset + 1024);
      closeSync(file);
      return { bytes: 512, outcome: `at ${offset + 1024} of ${relative(this.#folder, path)}` };
    });
    await this.#step('deep scrub of all PGs', async () => {
      const said = await this.#cluster.command('scrub', '--all', '--deep', '--wait');
      const { usage, health } = await this.#cluster.status();
      if (health.status !== 'HEALTH_OK') throw new Error(JSON.stringify(health));
      const repaired = findBlock(path, sought);
      if (repaired === undefined) throw new Error(`the bytes are not back on osd.${id}: ${said}`);
      const found = this.#scrubFindings();
      if (!found.includes('"repaired":1')) throw new Error(`no scrub tells of a repair: ${found}`);
      console.log(found);
      return { bytes: usage.usedBytes, outcome: `found and repaired; ${said.trim()}` };
    });
  }

  /** What the logs say of scrubs that found something. */
  #scrubFindings(): string {
    return this.#cluster.ready.osds
      .map(({ id }) =>
        readFileSync(join(this.#cluster.ready.data, 'log', `osd.${id}.jsonl`), 'utf8'),
      )
      .flatMap((log) => log.split('\n'))
      .filter((line) => line.includes('"scrub ended"') && !line.includes('"errors":0'))
      .join('\n');
  }

  #dirOf(osd: number): { readonly dir: string } {
    const found = this.#cluster.ready.osds.find(({ id }) => id === osd);
    if (found === undefined) throw new Error(`no osd.${osd}`);
    return found;
  }

  async #osd(osd: number): Promise<{ readonly uuid: string; readonly usedBytes: number }> {
    const found = (await this.#cluster.osds()).find(({ id }) => id === osd);
    if (found === undefined) throw new Error(`no osd.${osd}`);
    return found;
  }

  async #readBack(what: string): Promise<void> {
    await this.#step(what, async () => {
      const expected = [...this.#acknowledged];
      const wrong: string[] = [];
      let bytes = 0;
      await inParallel(expected, treeWidth, async ([key, digest]) => {
        const got = await this.#session.digestOf(key);
        if (got !== digest) wrong.push(`${key}: ${got === undefined ? 'missing' : 'different'}`);
        bytes += this.#sizes.get(key) ?? 0;
        this.#attempts--;
      });
      if (wrong.length > 0)
        throw new Error(`${wrong.length} acknowledged objects lost: ${wrong.slice(0, 5)}`);
      return { bytes, outcome: `all ${expected.length} objects are right` };
    });
  }

  // ——— the table ———

  async #step(
    what: string,
    work: () => Promise<{ readonly bytes: number | undefined; readonly outcome: string }>,
  ): Promise<void> {
    const begun = performance.now();
    try {
      const { bytes, outcome } = await work();
      this.#note({ what, seconds: (performance.now() - begun) / 1000, bytes, outcome });
    } catch (error) {
      const outcome = `FAILED: ${error instanceof Error ? error.message : String(error)}`;
      this.#note({ what, seconds: (performance.now() - begun) / 1000, bytes: undefined, outcome });
      throw error;
    }
  }

  #note(step: Step): void {
    this.#steps.push(step);
    const at = ((performance.now() - this.#begun) / 1000).toFixed(1).padStart(6);
    console.log(`${at} s  ${step.what}: ${step.outcome}`);
  }

  #printTable(): void {
    const rows = this.#steps.map(({ what, seconds, bytes, outcome }) => [
      what,
      `${seconds.toFixed(1)} s`,
      bytes === undefined ? '' : bytes < 2 ** 20 ? `${bytes} B` : formatMiB(bytes),
      outcome.length > 76 ? `${outcome.slice(0, 75)}…` : outcome,
    ]);
    console.log(`\n${formatColumns(['WHAT', 'TIME', 'BYTES', 'OUTCOME'], rows)}`);
    const memory = [...this.#watch.most()].map(([name, { peakBytes, anonymousBytes }]) => [
      name,
      formatMiB(anonymousBytes),
      formatMiB(peakBytes),
    ]);
    console.log(formatColumns(['PROCESS', 'ANONYMOUS', 'RESIDENT', ''], memory));
  }
}

/** Columns one after the other, numbers to the right. */
function formatColumns(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const format = (row: readonly string[]): string =>
    row
      .map((cell, at) =>
        at === 1 || at === 2 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return `${[titles, ...rows].map(format).join('\n')}\n`;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  const piece = Buffer.alloc(4 * 2 ** 20);
  for (let got = readSync(file, piece); got > 0; got = readSync(file, piece)) {
    hash.update(piece.subarray(0, got));
    // The uploads go on meanwhile.
    await delay(0);
  }
  closeSync(file);
  return hash.digest('hex');
}

/** Where 4 KiB of content stand in a disk's block file, which is laid out in units of that size. */
function findBlock(path: string, content: Buffer): number | undefined {
  const file = openSync(path, 'r');
  try {
    const piece = Buffer.alloc(8 * 2 ** 20);
    for (let base = 0; ; ) {
      const got = readSync(file, piece, 0, piece.length, base);
      if (got === 0) return undefined;
      for (let at = 0; at + content.length <= got; at += content.length)
        if (content.equals(piece.subarray(at, at + content.length))) return base + at;
      base += got;
    }
  } finally {
    closeSync(file);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
try {
  await Demo.run(folder);
  console.log('Nothing that was acknowledged was lost.');
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  if (!flags.keep) rmSync(folder, { recursive: true, force: true });
}
