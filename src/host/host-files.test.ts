import { deepEqual, equal, rejects } from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeUtf8 } from '../base/bytes.ts';
import { filesSuite } from '../testing/files-suite.ts';
import { HostFiles } from './host-files.ts';

async function inFolder(body: (root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-files-'));
  try {
    await body(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

filesSuite('host', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-files-'));
  // A folder that is not there yet, so that making it is part of the test.
  const root = join(folder, 'data', 'osd');
  return {
    files: new HostFiles(root),
    reopen: () => new HostFiles(root),
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
});

test('a file half written at a crash is not listed and is replaced by the next write', () =>
  inFolder(async (root) => {
    await writeFile(join(root, 'f.writing~'), 'half of something very long');
    const files = new HostFiles(root);
    deepEqual(await files.list(''), []);
    await files.writeAtomic('f', encodeUtf8('new'));
    deepEqual(await readdir(root), ['f']);
    equal(await readFile(join(root, 'f'), 'utf8'), 'new');
  }));

test('a key-value store that lost its manifest is corrupt and keeps its other files', () =>
  inFolder(async (root) => {
    const files = new HostFiles(root);
    const rows = await files.openKeyValue('meta');
    await rows.commit([{ kind: 'put', key: encodeUtf8('a'), value: encodeUtf8('1') }], {
      sync: true,
    });
    await rows.close();
    const before = (await readdir(join(root, 'meta'))).filter((name) => /\.(log|ldb)$/.test(name));
    await rm(join(root, 'meta', 'CURRENT'));
    await rejects(files.openKeyValue('meta'), { code: 'corrupt' });
    const after = await readdir(join(root, 'meta'));
    for (const name of before) equal(after.includes(name), true, `${name} is still there`);
  }));

test('a key-value store with a damaged manifest is corrupt', () =>
  inFolder(async (root) => {
    const files = new HostFiles(root);
    await (await files.openKeyValue('meta')).close();
    await writeFile(join(root, 'meta', 'CURRENT'), 'nonsense\n');
    await rejects(files.openKeyValue('meta'), { code: 'corrupt' });
  }));

test('a key-value store is open once at a time', () =>
  inFolder(async (root) => {
    const files = new HostFiles(root);
    const rows = await files.openKeyValue('meta');
    await rejects(files.openKeyValue('meta'), { code: 'io' });
    await rows.close();
  }));

test('a folder where a file should be is an error of the device, not an answer', () =>
  inFolder(async (root) => {
    const files = new HostFiles(root);
    await files.writeAtomic('d/f', encodeUtf8('x'));
    await rejects(files.read('d', 100), { code: 'io' });
    await rejects(files.openBlockDevice('d'), { code: 'io' });
  }));
