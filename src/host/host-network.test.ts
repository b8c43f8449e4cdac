import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { connect as tcpConnect } from 'node:net';
import { test } from 'node:test';
import type { Address, Connection } from '../env/network.ts';
import { requireHostPort } from './addresses.ts';
import { HostNetwork } from './host-network.ts';

/** Longest wait of any step here; only a failure comes near it. */
const limitMs = 5000;

/** What a connection was told, and ways to wait for it. */
class Seen {
  readonly pieces: Uint8Array[] = [];
  bytes = 0;
  drains = 0;
  closed: string | undefined;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
    connection.start({
      received: (bytes) => {
        this.pieces.push(bytes);
        this.bytes += bytes.length;
      },
      drained: () => {
        this.drains++;
        equal(this.#connection.unsentBytes, 0);
      },
      closed: (reason) => {
        equal(this.closed, undefined, 'closed is told once');
        this.closed = reason;
      },
    });
  }

  text(): string {
    return Buffer.concat(this.pieces).toString('latin1');
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const begin = performance.now(); !condition(); ) {
    ok(performance.now() - begin < limitMs, `waited too long for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

interface Pair {
  readonly near: Connection;
  readonly far: Connection;
  readonly address: Address;
}

async function withPair(body: (pair: Pair) => Promise<void>): Promise<void> {
  const network = new HostNetwork();
  let far: Connection | undefined;
  const listener = await network.listen('127.0.0.1:0', (connection) => {
    far = connection;
  });
  const near = await network.connect(listener.address);
  await until(() => far !== undefined, 'the accepted connection');
  try {
    await body({ near, far: far as unknown as Connection, address: listener.address });
  } finally {
    near.close();
    (far as unknown as Connection).close();
    await listener.close();
  }
}

test('bytes arrive in order, and views come out as plain arrays whose slice copies', () =>
  withPair(async ({ near, far }) => {
    const seen = new Seen(far);
    new Seen(near);
    near.send([Buffer.from('one '), new Uint8Array(0), Buffer.from('two ')]);
    near.send([Buffer.from('three')]);
    equal(near.unsentBytes, 13);
    await until(() => seen.bytes === 13, 'all bytes');
    equal(seen.text(), 'one two three');
    equal(Buffer.isBuffer(seen.pieces[0]), false);
    await until(() => near.unsentBytes === 0, 'everything handed over');
  }));

test('what one turn sends is one piece for the peer', () =>
  withPair(async ({ near, far }) => {
    const seen = new Seen(far);
    new Seen(near);
    for (let index = 0; index < 200; index++) near.send([Buffer.from(`${index % 10}`)]);
    await until(() => seen.bytes === 200, 'all bytes');
    equal(seen.pieces.length, 1);
  }));

test('drained is told when the last byte went out', () =>
  withPair(async ({ near, far }) => {
    const seen = new Seen(far);
    const own = new Seen(near);
    near.send([new Uint8Array(4 * 1024 * 1024).fill(7), Buffer.from('tail')]);
    await until(() => seen.bytes === 4 * 1024 * 1024 + 4, 'all bytes');
    await until(() => own.drains === 1, 'drained');
    equal(seen.pieces.at(-1)?.at(-1), 'l'.charCodeAt(0));
  }));

test('a paused receiver pushes back to the sender', () =>
  withPair(async ({ near, far }) => {
    const seen = new Seen(far);
    new Seen(near);
    far.pause();
    const bytes = 64 * 1024 * 1024;
    near.send([new Uint8Array(bytes)]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    ok(near.unsentBytes > 0, 'more than the kernel takes is still here');
    ok(seen.bytes <= 64 * 1024, 'nothing is delivered while paused');
    far.resume();
    await until(() => seen.bytes === bytes, 'all bytes');
  }));

test('close delivers what was sent before, and both ends are told once', () =>
  withPair(async ({ near, far }) => {
    const seen = new Seen(far);
    const own = new Seen(near);
    near.send([Buffer.from('last words')]);
    near.close();
    near.send([Buffer.from('too late')]);
    await until(() => seen.closed !== undefined && own.closed !== undefined, 'both closed');
    equal(seen.text(), 'last words');
    equal(own.closed, 'closed here');
    equal(seen.closed, 'closed by the peer');
  }));

test('a connection that ended before it was started is told so', () =>
  withPair(async ({ near, far }) => {
    near.close();
    new Seen(near);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const seen = new Seen(far);
    await until(() => seen.closed !== undefined, 'closed');
  }));

test('a connection reset by the peer ends, and the listener goes on', async () => {
  const network = new HostNetwork();
  const accepted: Seen[] = [];
  const listener = await network.listen('127.0.0.1:0', (connection) => {
    accepted.push(new Seen(connection));
  });
  const stranger = tcpConnect(requireHostPort(listener.address));
  stranger.on('error', () => undefined);
  stranger.write('nonsense', () => stranger.resetAndDestroy());
  await until(() => accepted[0]?.closed !== undefined, 'the reset connection');
  const friend = await network.connect(listener.address);
  new Seen(friend);
  friend.send([Buffer.from('hello')]);
  await until(() => accepted[1]?.text() === 'hello', 'the next connection');
  friend.close();
  await listener.close();
});

test('nobody there, a taken address and nonsense have their codes', async () => {
  const network = new HostNetwork();
  const listener = await network.listen('127.0.0.1:0', () => undefined);
  await rejects(
    network.listen(listener.address, () => undefined),
    { code: 'address-in-use' },
  );
  const { address } = listener;
  await listener.close();
  await rejects(network.connect(address), { code: 'refused' });
  await rejects(network.connect('no port'), { code: 'unreachable' });
  await rejects(network.connect('host.invalid:1'), { code: 'unreachable' });
});

test('an address is host and port, with brackets around IPv6', () => {
  deepEqual(requireHostPort('[::1]:80'), { host: '::1', port: 80 });
  for (const wrong of ['::1:80', 'a:b', ':80', 'a:65536', 'a', '']) {
    let refused = false;
    try {
      requireHostPort(wrong);
    } catch {
      refused = true;
    }
    ok(refused, wrong);
  }
});
