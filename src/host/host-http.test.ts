import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { type Socket, connect as tcpConnect } from 'node:net';
import { test } from 'node:test';
import { BodyError, type BodySource, type HttpHandler, type HttpRequest } from '../env/http.ts';
import type { Log } from '../env/log.ts';
import { requireHostPort } from './addresses.ts';
import { HostHttpServers } from './host-http.ts';

/** Longest wait of any step here; only a failure comes near it. */
const limitMs = 8000;

const silent: Log = { write: () => undefined };

async function withServer(
  handler: HttpHandler,
  body: (address: string) => Promise<void>,
  stallMs = 5000,
): Promise<void> {
  const listener = await new HostHttpServers({ log: silent, stallMs }).serve(
    '127.0.0.1:0',
    handler,
  );
  try {
    await body(listener.address);
  } finally {
    await listener.close();
  }
}

function within<T>(what: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited too long for: ${what}`)), limitMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A raw client: says `text`, reads until the server closes. */
function raw(address: string, text: string | Buffer): Promise<string> {
  return within(
    'the server to close',
    new Promise((resolve) => {
      const socket = tcpConnect(requireHostPort(address));
      let got = '';
      socket.on('data', (bytes) => {
        got += bytes.toString('latin1');
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(got));
      socket.write(text);
    }),
  );
}

async function readAll(body: BodySource): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let piece = await body.next(); piece !== undefined; piece = await body.next())
    pieces.push(piece);
  return Buffer.concat(pieces);
}

function pieces(count: number, bytes: number, closed?: () => void): BodySource & { close(): void } {
  let rest = count;
  return {
    next: async () => (rest-- > 0 ? new Uint8Array(bytes).fill(rest) : undefined),
    close: () => closed?.(),
  };
}

test('target and headers come as bytes, repeated ones apart', async () => {
  let seen: HttpRequest | undefined;
  await withServer(
    async (request) => {
      seen = request;
      return { status: 204, headers: [['x-Umlaut', 'gr\xfc\xdf']] };
    },
    async (address) => {
      const text =
        'GET /a%2Fb/../c?x=%20&y HTTP/1.1\r\nHOST: h\r\nx-a: 1\r\nX-A: \xe4\r\nConnection: close\r\n\r\n';
      const answer = await raw(address, Buffer.from(text, 'latin1'));
      equal(seen?.target, '/a%2Fb/../c?x=%20&y');
      deepEqual(seen?.headers, [
        ['HOST', 'h'],
        ['x-a', '1'],
        ['X-A', '\xe4'],
        ['Connection', 'close'],
      ]);
      ok(answer.startsWith('HTTP/1.1 204 '));
      ok(answer.includes('x-Umlaut: gr\xfc\xdf\r\n'));
    },
  );
});

test('bodies go both ways whole, and the connection is used again', async () => {
  await withServer(
    async ({ body }) => {
      const got = await readAll(body);
      return { status: 200, headers: [['Content-Length', String(got.length)]], body: got };
    },
    async (address) => {
      for (const size of [0, 1, 300_000, 5_000_000]) {
        const sent = Buffer.alloc(size, 'x');
        const response = await fetch(`http://${address}/`, { method: 'PUT', body: sent });
        equal(Buffer.from(await response.arrayBuffer()).equals(sent), true);
      }
    },
  );
});

test('100 Continue is sent when the body is pulled, and not before', async () => {
  await withServer(
    async ({ body, target }) => {
      if (target === '/no') return { status: 403, headers: [], body: Buffer.from('no') };
      await readAll(body);
      return { status: 200, headers: [] };
    },
    async (address) => {
      const head = (target: string): string =>
        `PUT ${target} HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n`;
      const refused = await raw(address, `${head('/no')}\r\n`);
      ok(refused.startsWith('HTTP/1.1 403 '), refused);
      ok(!refused.includes('100 Continue'));
      ok(refused.endsWith('no'));
      const taken = await within(
        'both answers',
        new Promise<string>((resolve) => {
          const socket = tcpConnect(requireHostPort(address));
          let got = '';
          socket.on('data', (bytes) => {
            got += bytes.toString('latin1');
            if (got === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write('12345');
          });
          socket.on('close', () => resolve(got));
          socket.write(`${head('/yes')}Connection: close\r\n\r\n`);
        }),
      );
      ok(taken.includes('HTTP/1.1 200 '), taken);
    },
  );
});

test('an answer before the end of a large upload reaches the client, and closes the connection', async () => {
  await withServer(
    async () => ({ status: 403, headers: [], body: Buffer.from('denied') }),
    async (address) => {
      const answer = await within(
        'the answer',
        new Promise<string>((resolve, reject) => {
          const upload = httpRequest({
            ...requireHostPort(address),
            method: 'PUT',
            headers: { 'content-length': 3_000_000 },
          });
          upload.on('error', reject);
          upload.on('response', (response) => {
            equal(response.headers.connection, 'close');
            let text = `${response.statusCode} `;
            response.on('data', (bytes) => {
              text += bytes;
            });
            response.on('end', () => resolve(text));
          });
          upload.end(Buffer.alloc(3_000_000));
        }),
      );
      equal(answer, '403 denied');
    },
  );
});

test('a slow reader holds the source back, and close is called once at the end', async () => {
  let pulled = 0;
  let closed = 0;
  const source = pieces(200, 1024 * 1024, () => closed++);
  await withServer(
    async () => ({
      status: 200,
      headers: [],
      body: {
        next: () => {
          pulled++;
          return source.next();
        },
        close: () => source.close(),
      },
    }),
    async (address) => {
      const response = await fetch(`http://${address}/`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      ok(pulled < 30, `${pulled} MiB pulled for a client that reads nothing`);
      equal((await response.arrayBuffer()).byteLength, 200 * 1024 * 1024);
      equal(closed, 1);
    },
  );
});

test('a source that fails, or ends short, breaks the connection', async () => {
  const closed: string[] = [];
  await withServer(
    async ({ target }) => ({
      status: 200,
      headers: target === '/short' ? [['Content-Length', '3000']] : [],
      body: {
        ...pieces(2, 1000),
        ...(target === '/fails' ? { next: async () => Promise.reject(new Error('lost')) } : {}),
        close: () => closed.push(target),
      },
    }),
    async (address) => {
      for (const target of ['/short', '/fails'])
        await rejects(
          fetch(`http://${address}${target}`).then((response) => response.arrayBuffer()),
        );
      deepEqual(closed, ['/short', '/fails']);
    },
  );
});

test('a client that goes away, or stalls, ends the body with an error', async () => {
  const failures: string[] = [];
  let open: Socket | undefined;
  await withServer(
    async ({ body, target }) => {
      await readAll(body).catch((error: unknown) => {
        ok(error instanceof BodyError);
        failures.push(`${target} ${error.message}`);
      });
      return { status: 400, headers: [] };
    },
    async (address) => {
      const begin = (target: string): Socket => {
        const socket = tcpConnect(requireHostPort(address));
        socket.on('error', () => undefined);
        socket.write(`PUT ${target} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123`);
        return socket;
      };
      const gone = begin('/gone');
      setTimeout(() => gone.destroy(), 30);
      open = begin('/stalls');
      open.resume();
      for (const from = performance.now(); failures.length < 2; ) {
        ok(performance.now() - from < limitMs, failures.join());
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      deepEqual(failures.sort(), [
        '/gone the client went away',
        '/stalls the client sent nothing for too long',
      ]);
    },
    300,
  );
  open?.destroy();
});

test('a client that stops reading is given up, and the source closed', async () => {
  let closed = 0;
  await withServer(
    async () => ({ status: 200, headers: [], body: pieces(1000, 1024 * 1024, () => closed++) }),
    async (address) => {
      const socket = tcpConnect(requireHostPort(address));
      socket.on('error', () => undefined);
      socket.pause();
      socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
      for (const from = performance.now(); closed === 0; ) {
        ok(performance.now() - from < limitMs, 'the source is closed');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      socket.destroy();
    },
    300,
  );
  equal(closed, 1);
});

test('nonsense gets 400, headers without end 431, and the server goes on', async () => {
  await withServer(
    async () => ({ status: 200, headers: [], body: Buffer.from('fine') }),
    async (address) => {
      ok((await raw(address, 'nonsense\r\n\r\n')).startsWith('HTTP/1.1 400 '));
      ok((await raw(address, Buffer.from([0, 255, 1, 254, 10, 13]))).startsWith('HTTP/1.1 400 '));
      const endless = `GET / HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`;
      ok((await raw(address, endless)).startsWith('HTTP/1.1 431 '));
      equal(await (await fetch(`http://${address}/`)).text(), 'fine');
    },
  );
});

test('what never becomes a request is answered as the one who serves says', async () => {
  const listener = await new HostHttpServers({ log: silent }).serve(
    '127.0.0.1:0',
    async () => ({ status: 200, headers: [] }),
    (what) => ({ status: 400, headers: [['x-what', what]], body: Buffer.from(`<${what}>`) }),
  );
  try {
    const endless = `GET / HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`;
    for (const [said, what] of [
      ['nonsense\r\n\r\n', 'malformed'],
      [endless, 'headers-too-large'],
    ] as const)
      equal(
        await raw(listener.address, said),
        `HTTP/1.1 400 Bad Request\r\nx-what: ${what}\r\nconnection: close\r\ncontent-length: ${what.length + 2}\r\n\r\n<${what}>`,
      );
  } finally {
    await listener.close();
  }
});

test('a handler that throws gets 500, HEAD gets the length and no body', async () => {
  await withServer(
    async ({ method }) => {
      if (method === 'HEAD') return { status: 200, headers: [['Content-Length', '77']] };
      throw new Error('a defect');
    },
    async (address) => {
      equal((await fetch(`http://${address}/`)).status, 500);
      const head = await fetch(`http://${address}/`, { method: 'HEAD' });
      equal(head.headers.get('content-length'), '77');
    },
  );
});

/** The parser takes a piece in one turn: it has refused what comes behind a request before that is answered. */
function behindWhatFollows(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('requests that come in one piece are answered in their order, one with a body and a failing one among them', async () => {
  const seen: string[] = [];
  await withServer(
    async ({ target, body }) => {
      // The first takes longest: those behind it must wait for it.
      if (target === '/first') await new Promise((resolve) => setTimeout(resolve, 50));
      const got = (await readAll(body)).toString();
      seen.push(`${target} ${got}`);
      if (target === '/fails') throw new Error('a defect');
      const text = Buffer.from(`answer to ${target} ${got}`);
      return { status: 200, headers: [['Content-Length', String(text.length)]], body: text };
    },
    async (address) => {
      const answer = await raw(
        address,
        [
          'GET /first HTTP/1.1\r\nHost: h\r\n\r\n',
          'PUT /second HTTP/1.1\r\nHost: h\r\nContent-Length: 18\r\n\r\nGET /not-a-request',
          'GET /fails HTTP/1.1\r\nHost: h\r\n\r\n',
          'GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
        ].join(''),
      );
      const answers = answer.match(/HTTP\/1\.1 \d+|answer to \S+ \S* ?\S*(?=HTTP|$)/g);
      deepEqual(answers, [
        'HTTP/1.1 200',
        'answer to /first ',
        'HTTP/1.1 200',
        'answer to /second GET /not-a-request',
        'HTTP/1.1 500',
        'HTTP/1.1 200',
        'answer to /last ',
      ]);
      deepEqual([...seen].sort(), ['/fails ', '/first ', '/last ', '/second GET /not-a-request']);
    },
  );
});

test('behind a request that is nonsense nothing is answered, and before it everything', async () => {
  const seen: string[] = [];
  await withServer(
    async ({ target, body }) => {
      const got = (await readAll(body)).toString();
      seen.push(`${target} ${got}`);
      await behindWhatFollows();
      return { status: 204, headers: [] };
    },
    async (address) => {
      const good = (target: string) => `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`;
      const answer = await raw(address, `${good('/a')}${good('/b')}nonsense\r\n\r\n${good('/c')}`);
      deepEqual(seen, ['/a ', '/b ']);
      deepEqual(answer.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 204', 'HTTP/1.1 204', 'HTTP/1.1 400']);
    },
  );
});

test('a body longer than announced is answered as what was announced', async () => {
  const seen: string[] = [];
  await withServer(
    async ({ target, body }) => {
      seen.push(`${target} ${await readAll(body)}`);
      await behindWhatFollows();
      return { status: 204, headers: [] };
    },
    async (address) => {
      for (const expect of ['', 'Expect: 100-continue\r\n']) {
        const put = `PUT /a HTTP/1.1\r\nHost: h\r\n${expect}Content-Length: 2\r\n\r\n`;
        const answer = await raw(address, `${put}bar`);
        deepEqual(
          answer.match(/HTTP\/1\.1 \d+/g)?.filter((line) => !line.endsWith('100')),
          ['HTTP/1.1 204', 'HTTP/1.1 400'],
        );
      }
      deepEqual(seen, ['/a ba', '/a ba']);
    },
  );
});

test('a body in chunks that are none is answered 400', async () => {
  await withServer(
    async ({ body }) => {
      await readAll(body);
      return { status: 204, headers: [] };
    },
    async (address) => {
      const head = 'PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n';
      const answer = await raw(address, `${head}nonsense\r\n`);
      deepEqual(answer.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 400']);
    },
  );
});
