import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DataDir, parseConfig } from './data-dir.ts';
import { DataLock, readLock } from './data-lock.ts';
import { CliError } from './errors.ts';
import { nearestWord } from './nearest.ts';
import { requireFree } from './port-holder.ts';
import { runCommandLine } from './program.ts';
import { Progress } from './progress.ts';
import { formatAge, formatBytes, formatTable } from './text.ts';

function inFolder<T>(body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
  const dispose = (): void => rmSync(folder, { recursive: true, force: true });
  const result = body(folder);
  if (result instanceof Promise) return result.finally(dispose) as T;
  dispose();
  return result;
}

/** Runs a command line and collects what it says on standard error. */
async function run(...words: readonly string[]): Promise<{ code: number; said: string }> {
  const { write } = process.stderr;
  let said = '';
  process.stderr.write = (text: string | Uint8Array): boolean => {
    said += text;
    return true;
  };
  try {
    return { code: await runCommandLine(words), said };
  } finally {
    process.stderr.write = write;
  }
}

test('the nearest word is the one meant, or none', () => {
  equal(nearestWord('--jsno', ['--data', '--json']), '--json');
  equal(nearestWord('osd', ['osds', 's3']), 'osds');
  equal(nearestWord('completely-else', ['osds', 's3']), undefined);
});

test('a wrong flag, value or command ends with 2, the reason and the nearest right one', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['up', '--osd', '3'], /'--osd'(.|\n)*Did you mean --osds\?/],
    [['up', '--osds', '0'], /from 1 to 64/],
    [['up', '--s3', 'localhost'], /host:port is needed/],
    [['statsu'], /Did you mean "status"\?/],
    [['osd', 'ot', '1'], /Did you mean "out"\?/],
    [['osd', 'out', 'x'], /number of an OSD/],
    [['pool', 'create', 'p', '--erasure', '3+9'], /K\+M is needed/],
    [['pool', 'create', 'p', '--copies', '2/3'], /COPIES\/MIN is needed/],
    [['status', '--timeout', 'soon'], /whole number/],
  ];
  for (const [words, expected] of cases) {
    const { code, said } = await run(...words);
    equal(code, 2, words.join(' '));
    match(said, expected);
  }
});

test('a command for a cluster that is not there says how to start one', () =>
  inFolder(async (folder) => {
    const { code, said } = await run('status', '--data', join(folder, 'none'));
    equal(code, 1);
    match(said, /there is no cluster in .*holdfast up/);
  }));

const goodConfig = 'format: 1\nfsid: 0123456789abcdef0123456789abcdef\nosds: 3\n';

test('holdfast.yaml is checked key by key', () => {
  const good = parseConfig(goodConfig, 'f');
  deepEqual([good.osds, good.s3, good.admin], [3, '127.0.0.1:7480', '127.0.0.1:7440']);
  const wrong: readonly (readonly [string, RegExp])[] = [
    [
      `${goodConfig}osdCapacityByte: 1\n`,
      /unknown key "osdCapacityByte"; did you mean "osdCapacityBytes"/,
    ],
    [goodConfig.replace('osds: 3', 'osds: many'), /osds: a number/],
    [goodConfig.replace('fsid: 0', 'fsid: x'), /fsid/],
    [`${goodConfig}s3: nowhere\n`, /s3: "nowhere" is not host:port/],
    [goodConfig.replace('format: 1', 'format: 2'), /format 2, this program knows 1/],
    ['a: [', /not YAML/],
  ];
  for (const [text, expected] of wrong) throws(() => parseConfig(text, 'f'), expected);
});

test('a directory that is not plainly ours is refused and stays as it is', () =>
  inFolder((folder) => {
    const cases: readonly (readonly [string, string, RegExp])[] = [
      ['notes.txt', 'mine', /not a Holdfast data directory and not empty/],
      ['initialising', '', /half initialised/],
      ['holdfast.yaml', 'format: 9\n', /newer Holdfast/],
    ];
    for (const [name, content, expected] of cases) {
      const path = mkdtempSync(join(folder, 'd-'));
      writeFileSync(join(path, name), content);
      const state = new DataDir(path).inspect();
      equal(state.kind, 'refused');
      match(state.kind === 'refused' ? state.reason : '', expected);
      deepEqual(readdirSync(path), [name]);
      equal(readFileSync(join(path, name), 'utf8'), content);
    }
    equal(new DataDir(join(folder, 'not', 'there')).inspect().kind, 'new');
  }));

test('a lock names its holder, and that of a dead process is taken over', () =>
  inFolder(async (folder) => {
    const lock = await DataLock.acquire(folder);
    lock.update({ admin: 'http://127.0.0.1:1' });
    equal(readLock(folder)?.admin, 'http://127.0.0.1:1');
    const second = await DataLock.acquire(folder).catch((error: unknown) => error);
    ok(second instanceof CliError);
    match(second.message, new RegExp(`held by .* pid ${process.pid} since`));
    lock.release();
    equal(readLock(folder), undefined);
    // This very pid, but started at another time: the pid came again.
    const stale = { pid: process.pid, startedTicks: 1, startedAt: 'once', daemons: [] };
    writeFileSync(join(folder, 'lock'), JSON.stringify(stale));
    (await DataLock.acquire(folder)).release();
  }));

test('a taken port is told with who has it', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const refusal = await requireFree('the S3 address', '--s3', `127.0.0.1:${port}`).catch(
    (error: unknown) => error,
  );
  server.close();
  ok(refusal instanceof CliError);
  match(refusal.message, new RegExp(`127.0.0.1:${port} is taken by .*choose another with --s3`));
  if (process.platform === 'linux') match(refusal.message, new RegExp(`pid ${process.pid}`));
});

test('tables align, sizes and ages read at a glance', () => {
  const table = formatTable(
    [{ title: 'A' }, { title: 'N', align: 'right' }],
    [
      ['long name', '7'],
      ['\x1b[31mred\x1b[39m', '100'],
    ],
  );
  equal(table, 'A            N\nlong name    7\n\x1b[31mred\x1b[39m        100\n');
  deepEqual([0, 1023, 1536, 5 * 2 ** 40].map(formatBytes), ['0 B', '1023 B', '1.5 KiB', '5.0 TiB']);
  equal(formatAge(0, 5), 'never');
  equal(formatAge(1, 3_600_001), '60 min ago');
});

test('progress is a bar on a terminal and nothing when quiet', () => {
  let said = '';
  const stream = { isTTY: true, write: (text: string) => (said += text) };
  new Progress('work', { quiet: true, stream }).show(1, 2, '');
  equal(said, '');
  new Progress('work', { quiet: false, stream }).show(1, 2, 'half');
  match(said, /work █{15}░{15} 1\/2 half/);
});
