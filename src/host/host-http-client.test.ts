import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { HttpClientError, type HttpPost } from '../env/http.ts';
import { HostHttpClient } from './host-http-client.ts';

async function withServer(
  listener: RequestListener,
  body: (
    post: (options?: Partial<HttpPost>) => Promise<{ readonly status: number }>,
    sockets: ReadonlySet<Socket>,
  ) => Promise<void>,
): Promise<void> {
  const server = createServer(listener);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const client = new HostHttpClient();
  const { port } = server.address() as AddressInfo;
  try {
    await body(
      (options) =>
        client.post({
          isTls: false,
          host: '127.0.0.1',
          port,
          target: '/in?a=b',
          headers: [['content-type', 'application/json']],
          body: new TextEncoder().encode('{}'),
          verifyTls: true,
          timeoutMs: 5000,
          mayConnect: () => true,
          ...options,
        }),
      sockets,
    );
  } finally {
    client.close();
    server.closeAllConnections();
    server.close();
  }
}

test('what is posted arrives whole, and only the status of the answer comes back', async () => {
  const seen: string[] = [];
  await withServer(
    (request, response) => {
      request.setEncoding('utf8');
      request.on('data', (text: string) => {
        const { method, url, headers } = request;
        seen.push(
          `${method} ${url} ${headers['content-type']} ${headers['content-length']} ${text}`,
        );
      });
      request.on('end', () => response.writeHead(202).end('thanks'));
    },
    async (post, sockets) => {
      deepEqual(await post(), { status: 202 });
      deepEqual(await post({ host: 'localhost' }), { status: 202 });
      await post();
      equal(sockets.size, 2, 'connections are used again');
    },
  );
  equal(seen.length, 3);
  equal(seen[0], 'POST /in?a=b application/json 2 {}');
});

test('a redirect is an answer like others', async () => {
  let requests = 0;
  await withServer(
    (_, response) => {
      requests++;
      response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    },
    async (post) => {
      deepEqual(await post(), { status: 302 });
      equal(requests, 1);
    },
  );
});

test('no connection is made to an address that is not allowed, by number or by name', async () => {
  const asked: string[] = [];
  await withServer(
    (_, response) => response.end(),
    async (post, sockets) => {
      const mayConnect = (address: string): boolean => {
        asked.push(address);
        return false;
      };
      await rejects(post({ mayConnect }), (error: unknown) => {
        match(String(error), /127\.0\.0\.1 is no address that webhooks may have/);
        return error instanceof HttpClientError;
      });
      await rejects(post({ host: 'localhost', mayConnect }), /no address that webhooks may have/);
      // As systems read it; it is judged as what it is.
      await rejects(post({ host: '2130706433', mayConnect }), HttpClientError);
      equal(sockets.size, 0);
    },
  );
  equal(asked[0], '127.0.0.1');
  for (const address of asked) match(address, /^(127\.|::1$)/);
});

test('of several addresses of a name only those that are allowed are tried', async () => {
  await withServer(
    (_, response) => response.end(),
    async (post) => {
      const mayConnect = (address: string): boolean => address === '127.0.0.1';
      deepEqual(await post({ host: 'localhost', mayConnect }), { status: 200 });
    },
  );
});

test('a server that does not answer is waited for no longer than was said', async () => {
  await withServer(
    () => {},
    async (post) => {
      await rejects(post({ timeoutMs: 100 }), /no answer after 100 ms/);
    },
  );
});

test('an answer without end is broken off', async () => {
  let closed: () => void = () => {};
  const whenClosed = new Promise<void>((resolve) => {
    closed = resolve;
  });
  await withServer(
    (_, response) => {
      response.on('close', closed);
      const more = (): void => {
        if (response.destroyed) return;
        response.write(Buffer.alloc(16 * 1024));
        setImmediate(more);
      };
      more();
    },
    async (post) => {
      deepEqual(await post(), { status: 200 });
      await whenClosed;
    },
  );
});

test('a connection that its server closed while it was idle costs no request', async () => {
  let requests = 0;
  await withServer(
    (request, response) => {
      requests++;
      // The second request of a connection meets its end.
      if (requests === 2) request.socket.resetAndDestroy();
      else response.end();
    },
    async (post) => {
      await post();
      deepEqual(await post(), { status: 200 });
      equal(requests, 3);
    },
  );
});

test('who is not there fails with words', async () => {
  await withServer(
    (_, response) => response.end(),
    async (post) => {
      await rejects(post({ port: 1 }), HttpClientError);
      await rejects(post({ host: 'nobody.invalid' }), HttpClientError);
    },
  );
});
