import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { HostClock, systemSources } from './host-clock.ts';

/** A machine whose clocks are moved by hand. */
class Machine {
  monotonic = 1000;
  wall = 1_700_000_000_000;
  uptime: number | undefined = 50_000;

  run(ms: number): void {
    this.monotonic += ms;
    this.suspend(ms);
  }

  suspend(ms: number): void {
    this.wall += ms;
    if (this.uptime !== undefined) this.uptime += ms;
  }

  clock(): HostClock {
    return new HostClock({
      monotonicMs: () => this.monotonic,
      wallMs: () => this.wall,
      uptimeMs: () => (this.uptime === undefined ? undefined : Math.floor(this.uptime / 10) * 10),
    });
  }
}

test('time that passed asleep is counted at the first look', () => {
  const machine = new Machine();
  const clock = machine.clock();
  const begin = clock.now();
  machine.run(100);
  equal(clock.now() - begin, 100);
  machine.suspend(5000);
  ok(Math.abs(clock.now() - begin - 5100) <= 10);
  machine.run(3000);
  ok(Math.abs(clock.now() - begin - 8100) <= 10);
});

test('a wall clock that is set moves nothing, in either direction', () => {
  const machine = new Machine();
  const clock = machine.clock();
  const begin = clock.now();
  for (const jump of [3_600_000, -7_200_000, 30]) {
    machine.wall += jump;
    machine.run(10);
    clock.now();
  }
  equal(clock.now() - begin, 30);
});

test('without the boot-time clock a wall jump forward counts as sleep', () => {
  const machine = new Machine();
  machine.uptime = undefined;
  const clock = machine.clock();
  const begin = clock.now();
  machine.suspend(4000);
  equal(clock.now() - begin, 4000);
  machine.wall -= 4000;
  equal(clock.now() - begin, 4000);
});

test('time never goes back and looking at it costs less than two microseconds', () => {
  const clock = new HostClock();
  const count = 100_000;
  let last = clock.now();
  const begin = performance.now();
  for (let index = 0; index < count; index++) {
    const now = clock.now();
    ok(now >= last);
    last = now;
  }
  const microseconds = ((performance.now() - begin) * 1000) / count;
  ok(microseconds < 2, `${microseconds} µs`);
});

test('a timer is never early and can be cancelled', async () => {
  const clock = new HostClock();
  const begin = clock.now();
  const cancelled = clock.after(1, 'cancelled', () => ok(false, 'was cancelled'));
  cancelled.cancel();
  cancelled.cancel();
  for (let index = 0; index < 10; index++) {
    const from = clock.now();
    await new Promise<void>((resolve) => {
      clock.after(3, 'short', resolve);
    });
    ok(clock.now() - from >= 3);
  }
  ok(clock.now() - begin < 5000);
});

test('the system says how long it is up', () => {
  const { uptimeMs } = systemSources();
  if (process.platform === 'linux') ok((uptimeMs() ?? 0) > 0);
});
