// What `holdfast up` and the command line refuse, and with which words. Nothing refused may be changed.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Ended, runHoldfast } from './cluster-process.ts';
import { atEnd, startCluster, temporaryFolder } from './test-cluster.ts';

/** Longer than any refusal takes; a cluster that starts instead is killed and fails the test. */
const limitMs = 20_000;

function up(data: string, ...args: string[]): Promise<Ended> {
  const ports = ['--s3', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
  return runHoldfast(['up', '--data', data, ...ports, ...args], limitMs);
}

/** Names and contents of everything below a folder. */
function digestOfFolder(folder: string): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    hash.update(`${path}\n`);
    if (entry.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

async function refusedUntouched(folder: string, reason: RegExp): Promise<void> {
  const before = digestOfFolder(folder);
  const { code, stdout, stderr } = await up(folder);
  equal(code, 1, stderr);
  match(stderr, reason);
  equal(stdout, '');
  equal(digestOfFolder(folder), before);
}

test('a second start on the same data says who holds it', async (t) => {
  const cluster = await startCluster(t, ['--osds', '1']);
  const { code, stderr } = await up(cluster.ready.data);
  equal(code, 1);
  match(stderr, new RegExp(`held by .* pid ${cluster.pid}\\b`));
  ok(stderr.includes(cluster.ready.admin), stderr);
  equal((await cluster.status()).ready, true);
});

test('a port that is taken is named, and by whom it is held', async (t) => {
  const port = await listen(t);
  const data = join(temporaryFolder(t), 'data');
  for (const [flag, words] of [
    ['--s3', 'S3'],
    ['--admin', 'admin'],
  ] as const) {
    const { code, stderr } = await up(data, flag, `127.0.0.1:${port}`);
    equal(code, 1, stderr);
    match(stderr, new RegExp(`${words} address 127\\.0\\.0\\.1:${port} is taken by`));
    match(stderr, new RegExp(`\\(pid ${process.pid}\\)`));
  }
});

async function listen(t: TestContext): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(t, () => server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test('a folder that is not ours is refused and left as it is', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'thesis.tex'), 'years of work');
  await refusedUntouched(folder, /not a Holdfast data directory and not empty .*thesis\.tex/);
});

test('a data directory of a newer format is refused and left as it is', async (t) => {
  const folder = temporaryFolder(t);
  const config = `format: 99\nfsid: ${'ab'.repeat(16)}\nosds: 5\nsomethingNew: 1\n`;
  writeFileSync(join(folder, 'holdfast.yaml'), config);
  await refusedUntouched(folder, /format 99.*newer Holdfast/);
});

test('a data directory that is half initialised is refused and left as it is', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'initialising'), '2026-01-01T00:00:00Z\n');
  mkdirSync(join(folder, 'keys'));
  await refusedUntouched(folder, /half initialised/);
});

test('a map store of another cluster, or none, is not started from', async (t) => {
  const folder = temporaryFolder(t);
  const [own, other] = [join(folder, 'own'), join(folder, 'other')];
  for (const data of [own, other]) await (await startCluster(t, ['--osds', '1'], data)).stop();
  const stores = [join(own, 'mon'), join(other, 'mon')] as const;
  const kept = join(folder, 'kept');
  renameSync(stores[0], kept);
  cpSync(stores[1], stores[0], { recursive: true });
  const foreign = await up(own);
  equal(foreign.code, 1, foreign.stderr);
  match(foreign.stderr, /the map store belongs to cluster \w+, and this is \w+: put back/);
  rmSync(stores[0], { recursive: true });
  const none = await up(own);
  equal(none.code, 1, none.stderr);
  match(none.stderr, /the map store is empty, and the cluster is not new: put back/);
  rmSync(stores[0], { recursive: true });
  renameSync(kept, stores[0]);
  const again = await startCluster(t, [], own);
  equal((await again.status()).ready, true);
});

test('a configuration with an unknown key is refused with the nearest', async (t) => {
  const folder = temporaryFolder(t);
  const config = `format: 1\nfsid: ${'ab'.repeat(16)}\nosds: 5\nadmim: 127.0.0.1:1\n`;
  writeFileSync(join(folder, 'holdfast.yaml'), config);
  await refusedUntouched(folder, /unknown key "admim"; did you mean "admin"/);
});

test('a path that can’t be a directory is refused', async (t) => {
  const file = join(temporaryFolder(t), 'a-file');
  writeFileSync(file, 'not a directory');
  for (const path of [file, join(file, 'below')]) {
    const { code, stderr } = await up(path);
    equal(code, 1, stderr);
    match(stderr, new RegExp(`holdfast: ${file}.*(not a directory|not writable|can't be)`));
  }
  equal(readFileSync(file, 'utf8'), 'not a directory');
  // Not even root writes there.
  const { code, stderr } = await up('/proc/sys/holdfast');
  equal(code, 1, stderr);
  match(stderr, /holdfast: \/proc\/sys is not writable for this user/);
});

test('what is written wrongly gets the flag, the reason, the nearest, and exit code 2', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['up', '--dat', 'x'], /'--dat'.*Did you mean --data\?/s],
    [['up', '--single-proces'], /'--single-proces'.*--single-process/s],
    [['up', '--osds', 'many'], /--osds.*'many'.*whole number/s],
    [['up', '--osds', '0'], /--osds.*'0'.*from 1 to/s],
    [['up', '--s3', 'nowhere'], /--s3.*'nowhere'.*host:port/s],
    [['up', '--admin', '127.0.0.1:99999'], /--admin.*'127\.0\.0\.1:99999'.*host:port/s],
    [['up', 'extra'], /extra|too many arguments/],
    [['stauts'], /'stauts'.*Did you mean "status"\?/s],
    [['osd', 'tee'], /'tee'.*Did you mean "tree"\?/s],
    [['osd', 'out', 'osd.x'], /'osd\.x'.*number of an OSD/s],
    [['pool', 'create', 'p', '--erasure', '3+9'], /'3\+9'.*K\+M/s],
    [['pool', 'create', 'p', '--copies', '2/3'], /'2\/3'.*COPIES\/MIN/s],
    [['scrub', '--timeout', 'soon', '--all'], /--timeout.*'soon'/s],
  ];
  const wrong: string[] = [];
  for (const [args, words] of cases) {
    const { code, stdout, stderr } = await runHoldfast(args, limitMs);
    if (code !== 2 || stdout !== '' || !words.test(stderr))
      wrong.push(`${args.join(' ')}: exit ${code}: ${stdout}${stderr}`);
  }
  deepEqual(wrong, []);
  const nobody = await runHoldfast(['status', '--data', data], limitMs);
  equal(nobody.code, 1);
  match(nobody.stderr, /holdfast up/);
});

test('a weight that is none, or of no disk, changes nothing; a right one is shown', async (t) => {
  const cluster = await startCluster(t, ['--osds', '3']);
  const weights = async (): Promise<readonly number[]> =>
    (await cluster.osds()).map(({ weight }) => weight);
  const before = await weights();
  for (const [osd, weight, reason] of [
    ['1', '0', /an integer from 1 to 65536/],
    ['1', '1.5', /an integer from 1 to 65536/],
    ['1', 'heavy', /a number/],
    ['7', '5', /no osd\.7/],
  ] as const) {
    const { code, stderr } = await cluster.run('osd', 'weight', osd, weight);
    ok(code !== 0, stderr);
    match(stderr, reason);
    deepEqual(await weights(), before);
  }
  await cluster.command('osd', 'weight', 'osd.1', '7', '--wait');
  deepEqual(await weights(), [before[0], 7, before[2]]);
  match(await cluster.command('osd', 'tree'), /osd\.1 +\S+ +\S+ \S+ +7 +up/);
});
