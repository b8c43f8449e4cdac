// Listings against a model that does it the simple way: all items, sorted, cut.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes, decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import { decode, encode } from '../../base/codec.ts';
import type { MethodRow, MethodView } from '../../base/method.ts';
import {
  encodeEntryDraft,
  plainAttributes,
  plainSummary,
  shardStateFormat,
  uploadFormat,
  wholeShard,
} from './format.ts';
import * as messages from './messages.ts';
import { s3Methods } from './methods.ts';
import { entryRow, stateRow, uploadRow } from './rows.ts';

const entry = encodeEntryDraft({
  sizeBytes: 0,
  etag: '',
  wallMs: 1,
  checksum: undefined,
  ...plainSummary,
  ...plainAttributes,
  headers: [],
  metadata: [],
  tags: [],
  uploadId: undefined,
  partCount: 0,
  content: { kind: 'inline', bytes: new Uint8Array(0) },
});
const upload = uploadFormat.encode({
  wallMs: 1,
  headers: [],
  metadata: [],
  tags: [],
  checksumAlgorithm: undefined,
  checksumType: undefined,
  owner: '',
  storageClass: 'STANDARD',
  ...plainAttributes,
});

class SortedView implements MethodView {
  readonly #rows: readonly MethodRow[];
  rowsRead = 0;

  constructor(rows: readonly MethodRow[]) {
    this.#rows = [...rows, [stateRow, shardStateFormat.encode(wholeShard)] as const].sort((a, b) =>
      compareBytes(a[0], b[0]),
    );
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#rows.find((row) => compareBytes(row[0], key) === 0)?.[1];
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  async scan(range: Parameters<MethodView['scan']>[0]): Promise<readonly MethodRow[]> {
    const { begin, end, limit } = range;
    const rows = this.#rows
      .filter((row) => compareBytes(row[0], begin) >= 0)
      .filter((row) => end === undefined || compareBytes(row[0], end) < 0)
      .slice(0, limit);
    this.rowsRead += rows.length;
    return rows;
  }
}

async function run<A, R>(view: MethodView, call: messages.Call<A, R>, argument: A): Promise<R> {
  const method = s3Methods.get(call.name);
  if (method === undefined) throw new Error(call.name);
  const outcome = await method(view, encode(call.argument, argument), {
    version: { tenure: 1, sequence: 1 },
    wallMs: 0,
  });
  return decode(call.result, outcome.result);
}

interface Listing {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
  readonly limit: number;
}

function byBytes(a: string, b: string): number {
  return compareBytes(encodeUtf8(a), encodeUtf8(b));
}

function model(keys: readonly string[], { prefix, delimiter, after, limit }: Listing): string[] {
  const items = new Set<string>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    items.add(at < 0 ? key : key.slice(0, at + delimiter.length));
  }
  return [...items]
    .filter((item) => after === '' || byBytes(item, after) > 0)
    .sort(byBytes)
    .slice(0, limit);
}

async function list(view: SortedView, listing: Listing): Promise<string[]> {
  const answer = await run(view, messages.listEntries, {
    from: undefined,
    prefix: encodeUtf8(listing.prefix),
    delimiter: encodeUtf8(listing.delimiter),
    after: encodeUtf8(listing.after),
    limit: listing.limit,
  });
  if (answer.kind !== 'page') throw new Error(answer.kind);
  return answer.items.map((item) => decodeUtf8(item.kind === 'entry' ? item.key : item.prefix));
}

/** A small generator with a seed, so that a failure can be repeated. */
function randomOf(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

test('any listing is what the model says', async () => {
  const letters = ['a', 'b', '/', '//', 'ä', '\uffff', '\u{10000}', '\0', ' '];
  for (let seed = 1; seed <= 60; seed++) {
    const random = randomOf(seed);
    const text = (lengthMax: number): string =>
      Array.from({ length: random(lengthMax + 1) }, () => letters[random(letters.length)]).join('');
    const keys = [...new Set(Array.from({ length: 40 }, () => `${text(5)}x`))];
    const view = new SortedView(keys.map((key) => [entryRow(encodeUtf8(key)), entry] as const));
    for (let i = 0; i < 40; i++) {
      const listing = {
        prefix: text(2),
        delimiter: ['', '/', '/', 'ab', '\0'][random(5)] ?? '',
        after: [text(3), keys[random(keys.length)] ?? ''][random(2)] ?? '',
        limit: 1 + random(12),
      };
      deepEqual(
        await list(view, listing),
        model(keys, listing),
        `seed ${seed}: ${JSON.stringify(listing)}`,
      );
    }
  }
});

test('paging by the last item gives every item once', async () => {
  const random = randomOf(99);
  const keys = Array.from({ length: 300 }, () => `${random(9)}/${random(9)}/${random(99)}`);
  const view = new SortedView(
    [...new Set(keys)].map((key) => [entryRow(encodeUtf8(key)), entry] as const),
  );
  for (const limit of [1, 2, 7]) {
    for (const prefix of ['', '3/', '3/4/']) {
      const seen: string[] = [];
      let after = '';
      for (let page = 0; page < 1000; page++) {
        const items = await list(view, { prefix, delimiter: '/', after, limit });
        if (items.length === 0) break;
        seen.push(...items);
        after = items.at(-1) ?? '';
      }
      deepEqual(seen, model(keys, { prefix, delimiter: '/', after: '', limit: 1000 }));
    }
  }
});

test('a group is left by one seek, however many keys it holds', async () => {
  const rows: MethodRow[] = [];
  for (let group = 0; group < 10; group++)
    for (let i = 0; i < 500; i++)
      rows.push([entryRow(encodeUtf8(`${group}/${String(i).padStart(4, '0')}`)), entry]);
  const view = new SortedView(rows);
  const items = await list(view, { prefix: '', delimiter: '/', after: '', limit: 1000 });
  equal(items.length, 10);
  ok(view.rowsRead <= 60, `${view.rowsRead} rows were read`);
});

test('uploads list by key, also with zero bytes in it, then by id', async () => {
  const ids = ['0'.repeat(32), '5'.repeat(32), 'f'.repeat(32)];
  const keys = ['a', 'a\0', 'a\0b', 'a\u0001', 'ab', 'b/1', 'b/2'];
  const all = keys.flatMap((key) => ids.map((id) => [key, id] as const));
  const view = new SortedView(
    all.map(([key, id]) => [uploadRow(encodeUtf8(key), id), upload] as const),
  );
  for (const limit of [1, 2, 100]) {
    const seen: (readonly [string, string])[] = [];
    let keyMarker = '';
    let uploadIdMarker = '';
    for (let page = 0; page < 100; page++) {
      const answer = await run(view, messages.listUploads, {
        from: undefined,
        prefix: encodeUtf8('a'),
        delimiter: encodeUtf8('/'),
        limit,
        keyMarker: encodeUtf8(keyMarker),
        uploadIdMarker,
      });
      if (answer.kind !== 'page' || answer.items.length === 0) break;
      for (const item of answer.items) {
        if (item.kind !== 'upload') throw new Error('a prefix');
        keyMarker = decodeUtf8(item.key);
        uploadIdMarker = item.uploadId;
        seen.push([keyMarker, uploadIdMarker]);
      }
    }
    deepEqual(seen, all.slice(0, 15));
  }
  const skipped = await run(view, messages.listUploads, {
    from: undefined,
    prefix: new Uint8Array(0),
    delimiter: encodeUtf8('/'),
    limit: 100,
    keyMarker: encodeUtf8('a\0'),
    uploadIdMarker: '',
  });
  if (skipped.kind !== 'page') throw new Error(skipped.kind);
  deepEqual(
    skipped.items.map((item) => decodeUtf8(item.kind === 'upload' ? item.key : item.prefix)),
    ['a\0b', 'a\0b', 'a\0b', 'a\u0001', 'a\u0001', 'a\u0001', 'ab', 'ab', 'ab', 'b/'],
  );
});
