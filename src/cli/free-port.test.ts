import { equal, notEqual, ok } from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { formatHostPort, requireHostPort } from '../host/addresses.ts';
import { listenOn } from '../host/host-network.ts';
import { chooseLoopback } from './free-port.ts';

test('a kept port is used again, and one that is taken is replaced', async () => {
  const chosen = await chooseLoopback('127.0.0.1:0');
  const { host, port } = requireHostPort(chosen);
  equal(host, '127.0.0.1');
  ok(port >= 20_000 && port < 32_768, 'not one of the ports of outgoing connections');
  equal(await chooseLoopback(chosen), chosen);
  const holder = await listenOn(createServer(), chosen);
  try {
    const other = await chooseLoopback(formatHostPort({ host, port }));
    notEqual(other, chosen);
    ok(requireHostPort(other).port >= 20_000);
  } finally {
    await holder.close();
  }
});
