// Real processes on real disks: what a cluster of five does when its daemons and directories are treated
// badly. One cluster for the whole story, since each start takes seconds.

import { equal, match, ok } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DaemonState } from '../admin/control.ts';
import type { OsdView, Status } from '../admin/views.ts';
import { AdminClient } from './admin-client.ts';

const program = fileURLToPath(new URL('../bin/holdfast.js', import.meta.url));

/** Longest wait for any state; a loaded machine takes a third of it. */
const limitMs = 30_000;

interface Ready {
  readonly s3: string;
  readonly admin: string;
  readonly osds: readonly { readonly id: number; readonly pid: number }[];
}

class Cluster {
  readonly child: ChildProcess;
  readonly ready: Ready;
  readonly admin: AdminClient;

  private constructor(child: ChildProcess, ready: Ready, token: string) {
    this.child = child;
    this.ready = ready;
    this.admin = new AdminClient({ url: ready.admin, token });
  }

  static async start(data: string, ...flags: readonly string[]): Promise<Cluster> {
    const child = spawn(
      process.execPath,
      [
        program,
        'up',
        '--data',
        data,
        '--json',
        '--s3',
        '127.0.0.1:0',
        '--admin',
        '127.0.0.1:0',
        ...flags,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const line = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.stdout?.on('data', (bytes) => {
        text += bytes;
        if (text.endsWith('\n')) resolve(text);
      });
      child.on('exit', (code) => reject(new Error(`holdfast up ended with ${code}`)));
      setTimeout(() => reject(new Error('holdfast up is not ready')), limitMs).unref();
    });
    equal(line.split('\n').length, 2, 'exactly one line');
    const token = readFileSync(join(data, 'keys', 'admin-token'), 'utf8').trim();
    return new Cluster(child, JSON.parse(line), token);
  }

  status(): Promise<Status> {
    return this.admin.get<Status>('/v1/status');
  }

  daemons(): Promise<{ readonly daemons: readonly DaemonState[] }> {
    return this.admin.get('/v1/daemons');
  }

  async osd(id: number): Promise<OsdView> {
    const { osds } = await this.admin.get<{ osds: readonly OsdView[] }>('/v1/osds');
    return osds[id] as OsdView;
  }

  async untilClean(): Promise<void> {
    await until('all clean', async () => {
      const { pgs, osds } = await this.status();
      return pgs.clean === pgs.total && osds.up === osds.total;
    });
  }

  /** Returns how long it took. */
  async stop(signal: NodeJS.Signals): Promise<number> {
    const begin = performance.now();
    this.admin.close();
    const ended = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    equal(await ended, signal === 'SIGKILL' ? null : 0);
    return performance.now() - begin;
  }
}

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  for (const begin = performance.now(); !(await look()); ) {
    ok(performance.now() - begin < limitMs, `waited too long for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A dead child that its parent has not looked at yet still has a number.
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

function empty(folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
}

test('a cluster survives what is done to its daemons and directories', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'holdfast-up-'));
  rmSync(data, { recursive: true });
  let cluster = await Cluster.start(data);
  try {
    await t.test(
      'it is ready and healthy, says what it can not survive, and keeps its secrets',
      async () => {
        // Ready is every PG serving; on a busy machine a member may still be catching up.
        await until('health', async () => (await cluster.status()).health.status === 'HEALTH_OK');
        const status = await cluster.status();
        equal(status.pgs.total, 48);
        match(status.notes.join(), /not the loss of the machine/);
        equal((await fetch(`${cluster.ready.s3}/new`, { method: 'PUT' })).status, 403);
        const other = new AdminClient({ url: cluster.ready.admin, token: 'wrong' });
        const refusal: unknown = await other.get('/v1/status').catch((error: unknown) => error);
        match(String(refusal), /token/);
        other.close();
        for (const { pid } of cluster.ready.osds)
          ok(
            !/[0-9a-f]{32}/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1')),
            'no key in argv',
          );
      },
    );

    await t.test('a killed OSD is started again', async () => {
      const { pid } = cluster.ready.osds[1] as { pid: number };
      process.kill(pid, 'SIGKILL');
      await until('a restart of osd.1', async () => {
        const { daemons } = await cluster.daemons();
        return daemons.some(({ name, restarts }) => name === 'osd.1' && restarts === 1);
      });
      ok(!isAlive(pid));
      await cluster.untilClean();
    });

    await t.test('a wiped disk is a new disk, and is filled again', async () => {
      const before = (await cluster.osd(2)).uuid;
      await cluster.admin.post('/v1/osds/stop', { osds: [2] });
      await until('osd.2 down', async () => !(await cluster.osd(2)).up);
      await until('its files to be closed', async () => {
        const { daemons } = await cluster.daemons();
        return daemons.find(({ name }) => name === 'osd.2')?.pid === undefined;
      });
      empty(join(data, 'osd.2'));
      await cluster.admin.post('/v1/osds/start', { osds: [2] });
      await until('a new uuid', async () => (await cluster.osd(2)).uuid !== before);
      await cluster.untilClean();
    });

    await t.test('a second `up` says who holds the directory', async () => {
      const second = spawn(process.execPath, [program, 'up', '--data', data], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      second.stderr?.on('data', (bytes) => {
        said += bytes;
      });
      equal(await new Promise((resolve) => second.on('exit', resolve)), 1);
      match(said, new RegExp(`held by .* pid ${cluster.child.pid} `));
    });

    await t.test(
      'killed without warning, its daemons end by themselves and the next start resumes',
      async () => {
        const pids = cluster.ready.osds.map(({ pid }) => pid);
        await cluster.stop('SIGKILL');
        cluster = await Cluster.start(data);
        for (const pid of pids) ok(!isAlive(pid), `osd process ${pid} of the earlier start`);
        await cluster.untilClean();
        ok((await cluster.stop('SIGTERM')) < 5000, 'a clean stop within five seconds');
      },
    );

    await t.test(
      'a disk that can not be read, and one of another cluster, stay down with the reason',
      async () => {
        for (const name of ['superblock', 'superblock.copy'])
          if (existsSync(join(data, 'osd.3', name)))
            writeFileSync(join(data, 'osd.3', name), 'nonsense');
        const before = readdirSync(join(data, 'osd.3'));
        cluster = await Cluster.start(data);
        await until('the reason in health', async () => (await cluster.osd(3)).failure !== '');
        match((await cluster.osd(3)).failure, /osd\.3 can't be read/);
        const { health, osds } = await cluster.status();
        ok(health.checks.some(({ code }) => code === 'DAEMON_FAILED'));
        equal(osds.up, 4);
        equal(readdirSync(join(data, 'osd.3')).join(), before.join(), 'its files are left alone');
        await cluster.stop('SIGINT');
      },
    );
  } finally {
    if (cluster.child.exitCode === null) cluster.child.kill('SIGTERM');
    rmSync(data, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  }
});

test('three OSDs in a single process serve, too', async () => {
  const data = mkdtempSync(join(tmpdir(), 'holdfast-up-'));
  const cluster = await Cluster.start(data, '--single-process', '--osds', '3');
  try {
    const status = await cluster.status();
    equal(status.health.status, 'HEALTH_OK');
    equal(status.pools.map(({ geometry }) => geometry).join(), 'copies 3/2,erasure 2+1');
    for (const { pid } of cluster.ready.osds) equal(pid, cluster.child.pid);
    ok((await cluster.stop('SIGTERM')) < 5000);
  } finally {
    if (cluster.child.exitCode === null) cluster.child.kill('SIGKILL');
    rmSync(data, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  }
});
