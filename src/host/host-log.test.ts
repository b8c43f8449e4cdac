import { equal, ok } from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CrashReport, crash, crashExitCode } from './crash.ts';
import { HostLog } from './host-log.ts';
import { HostTasks } from './host-tasks.ts';

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-log-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('a line is one JSON object with time, level, daemon, event and fields', () =>
  inFolder(async (folder) => {
    const echoed: string[] = [];
    const path = join(folder, 'log', 'osd.1.jsonl');
    const log = new HostLog({ path, daemon: 'osd.1', echo: (line) => echoed.push(line) });
    log.write('warn', 'disk is slow', { ms: 12, note: 'a\nb', nothing: undefined });
    log.close();
    const text = await readFile(path, 'utf8');
    equal(text.split('\n').length, 2);
    const { at, ...rest } = JSON.parse(text);
    ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
    equal(
      JSON.stringify(rest),
      '{"level":"warn","daemon":"osd.1","event":"disk is slow","ms":12,"note":"a\\nb"}',
    );
    ok(echoed[0]?.endsWith('warn  osd.1: disk is slow ms=12 note=a\nb'), echoed[0]);
  }));

test('at 16 MiB a new file begins, and four are kept', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'a.jsonl');
    for (let round = 0; round < 6; round++) {
      await writeFile(path, `${round}`.padEnd(16 * 1024 * 1024, ' '), { flag: 'w' });
      const log = new HostLog({ path, daemon: 'a' });
      log.write('info', 'first finds it full');
      log.write('info', 'second begins a new file');
      log.close();
    }
    const names = (await readdir(folder)).sort();
    equal(names.join(' '), 'a.jsonl a.jsonl.1 a.jsonl.2 a.jsonl.3');
    equal((await readFile(`${path}.1`, 'utf8'))[0], '5');
    equal((await readFile(`${path}.3`, 'utf8'))[0], '3');
  }));

test('a task that fails leaves its reason and stops the process with 70', () =>
  inFolder(async (folder) => {
    const log = new HostLog({ path: join(folder, 'log'), daemon: 'osd.7' });
    const code = await new Promise<number>((exit) => {
      const tasks = new HostTasks((name, error) =>
        crash({ folder: join(folder, 'crash'), daemon: 'osd.7', log, exit }, name, error),
      );
      tasks.spawn('harmless', async () => undefined);
      tasks.spawn('scrubbing', async () => {
        throw new Error('the sky fell', { cause: new Error('gravity') });
      });
    });
    log.close();
    equal(code, crashExitCode);
    const report: CrashReport = JSON.parse(
      await readFile(join(folder, 'crash', 'osd.7.json'), 'utf8'),
    );
    equal(report.task, 'scrubbing');
    equal(report.message, 'the sky fell');
    ok(report.stack.includes('gravity'));
    ok((await readFile(join(folder, 'log'), 'utf8')).includes('"task":"scrubbing"'));
  }));
