// The README's first minute, as CI sees it: `npm start` in this clone, one object put and read back over
// S3, `npx holdfast status`, Ctrl-C, and `npm start` again. Ports and folder are free ones, so that nothing else is met.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { isRunning, program, type Ready } from './cluster-process.ts';
import { bytesOf, S3Session, sha256 } from './s3-session.ts';

const startMsMax = 60_000;

/** Five seconds for the cluster, and some for npm. */
const stopMsMax = 8000;

/** A cluster is ready within three seconds, and npm takes one, on a machine at rest. */
const readyMsMax = 4000;

/**
 * On a busy machine everything takes longer, also starting one Node.js with the command line: some 0.15 seconds of a machine
 * at rest, where the cluster needs two to three. Ready may take as many times that as here.
 */
const readyStartsMax = 25;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-first-minute-'));
const data = join(folder, 'data');
const ports = ['--s3', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
let npm: Npm | undefined;
try {
  const first = await start();
  await putAndGet(first);
  console.log(await status());
  await stop(first);
  await stop(await start());
} finally {
  npm?.process.kill('SIGTERM');
  if (npm !== undefined) await before(stopMsMax, 'npm start to end', npm.ended);
  rmSync(folder, { recursive: true, force: true });
}

interface Npm {
  readonly process: ChildProcessByStdio<null, Readable, null>;
  readonly ended: Promise<void>;
}

async function start(): Promise<Ready> {
  const startMs = await commandMs();
  const begun = performance.now();
  const child = spawn('npm', ['start', '--', '--json', '--data', data, ...ports], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  npm = { process: child, ended: new Promise((resolve) => child.once('exit', () => resolve())) };
  const ready = await readyLine(npm.process);
  const readyMs = performance.now() - begun;
  const limitMs = Math.max(readyMsMax, readyStartsMax * startMs);
  const words = `ready after ${seconds(readyMs)}, npm included; one command starts in ${seconds(startMs)}`;
  if (readyMs > limitMs) throw new Error(`${words}: more than ${seconds(limitMs)}`);
  console.log(words);
  return ready;
}

async function stop(ready: Ready): Promise<void> {
  if (npm === undefined) throw new Error('nothing was started');
  const begun = performance.now();
  npm.process.kill('SIGTERM');
  await before(stopMsMax, 'npm start to end', npm.ended);
  const left = ready.osds.filter(({ pid }) => isRunning(pid));
  if (left.length > 0) throw new Error(`still running: ${left.map(({ pid }) => pid)}`);
  console.log(`stopped in ${seconds(performance.now() - begun)}`);
}

/** How long the fastest of three starts of the command line takes. */
async function commandMs(): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < 3; count++) {
    const begun = performance.now();
    const child = spawn(process.execPath, [program, '--version'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('exit', resolve));
    times.push(performance.now() - begun);
  }
  return Math.min(...times);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function readyLine(child: Npm['process']): Promise<Ready> {
  const lines = createInterface({ input: child.stdout });
  const found = new Promise<Ready>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line.startsWith('{')) resolve(JSON.parse(line) as Ready);
    });
    child.once('exit', (code) => reject(new Error(`npm start ended with ${code}`)));
  });
  return before(startMsMax, 'the ready line', found);
}

async function putAndGet(ready: Ready): Promise<void> {
  const session = new S3Session(ready, 'photos', { attemptsMax: 1 });
  await session.createBucket();
  for (const [key, length] of [
    ['note.txt', 500],
    ['photo.raw', 20_000_000],
  ] as const) {
    await session.put(key, bytesOf(key, length));
    const digest = sha256(await session.get(key));
    if (digest !== sha256(bytesOf(key, length))) throw new Error(`${key} came back different`);
    console.log(`put and got ${key}, ${length} bytes`);
  }
  session.close();
}

async function status(): Promise<string> {
  const npx = spawn('npx', ['holdfast', 'status', '--data', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  npx.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const code = await before(
    30_000,
    'npx holdfast status',
    new Promise((resolve) => npx.once('close', resolve)),
  );
  if (code !== 0 || !text.includes('HEALTH_OK'))
    throw new Error(`npx holdfast status: exit ${code}: ${text}`);
  return text.trimEnd();
}

async function before<T>(limitMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limitMs} ms for ${what}`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
