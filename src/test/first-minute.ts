// The README's first minute, as CI sees it: `npm start` in this clone, one object put and read back over
// S3, `npx holdfast status`, and Ctrl-C. Ports and folder are free ones, so that nothing else is met.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isRunning, type Ready } from './cluster-process.ts';
import { bytesOf, S3Session, sha256 } from './s3-session.ts';

const startMsMax = 60_000;

/** Five seconds for the cluster, and some for npm. */
const stopMsMax = 8000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-first-minute-'));
const data = join(folder, 'data');
const ports = ['--s3', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
const begun = performance.now();
const npm = spawn('npm', ['start', '--', '--json', '--data', data, ...ports], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = new Promise<void>((resolve) => npm.once('exit', () => resolve()));
try {
  const ready = await readyLine();
  console.log(`ready after ${((performance.now() - begun) / 1000).toFixed(1)} s, npm included`);
  await putAndGet(ready);
  console.log(await status());
  const stopping = performance.now();
  npm.kill('SIGTERM');
  await before(stopMsMax, 'npm start to end', ended);
  const left = ready.osds.filter(({ pid }) => isRunning(pid));
  if (left.length > 0) throw new Error(`still running: ${left.map(({ pid }) => pid)}`);
  console.log(`stopped in ${((performance.now() - stopping) / 1000).toFixed(1)} s`);
} finally {
  npm.kill('SIGTERM');
  await before(stopMsMax, 'npm start to end', ended);
  rmSync(folder, { recursive: true, force: true });
}

function readyLine(): Promise<Ready> {
  const lines = createInterface({ input: npm.stdout });
  const found = new Promise<Ready>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line.startsWith('{')) resolve(JSON.parse(line) as Ready);
    });
    npm.once('exit', (code) => reject(new Error(`npm start ended with ${code}`)));
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
