// A cluster in memory, for the gateway's tests: methods run one at a time on sorted rows with the limits
// of base/method.ts, blobs stand in a map, and faults are given by the test.

import { assert } from '../../base/assert.ts';
import { compareBytes } from '../../base/bytes.ts';
import { type BlobId, formatBlobId } from '../../base/ids.ts';
import type { MethodRow, Methods, MethodView, RowEffect } from '../../base/method.ts';
import {
  type BlobPage,
  type BlobQuery,
  blobBytesMax,
  type Cluster,
  type LayoutRef,
  type Migration,
  type MigrationProgress,
  type NotificationReport,
  type User,
  type WriterRange,
} from '../../client/cluster.ts';
import { ClientError } from '../../client/errors.ts';
import { inlineBytesLimit } from '../../map/cluster-map.ts';
import {
  type Directory,
  decodeDirectory,
  directoryFault,
  emptyDirectory,
  encodeDirectory,
  plainUser,
} from '../../map/directory.ts';

const rowKeyBytesMax = 3072;
const scanRowsMax = 10_000;
const callBytesMax = 4 * 1024 * 1024;

/** Rows in key order. */
class Rows implements MethodView {
  readonly #rows: MethodRow[] = [];

  get all(): readonly MethodRow[] {
    return this.#rows;
  }

  /** Of the first row not before the key. */
  #indexOf(key: Uint8Array): number {
    let begin = 0;
    let end = this.#rows.length;
    while (begin < end) {
      const middle = (begin + end) >> 1;
      const row = this.#rows[middle];
      if (row !== undefined && compareBytes(row[0], key) < 0) begin = middle + 1;
      else end = middle;
    }
    return begin;
  }

  #find(key: Uint8Array): Uint8Array | undefined {
    const row = this.#rows[this.#indexOf(key)];
    return row !== undefined && compareBytes(row[0], key) === 0 ? row[1] : undefined;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#find(key);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return keys.map((key) => this.#find(key));
  }

  async scan(range: Parameters<MethodView['scan']>[0]): Promise<readonly MethodRow[]> {
    assert(range.limit >= 1 && range.limit <= scanRowsMax, 'a scan asks for 1 to 10,000 rows');
    const begin = this.#indexOf(range.begin);
    const end = range.end === undefined ? this.#rows.length : this.#indexOf(range.end);
    const rows = this.#rows.slice(begin, Math.max(begin, end));
    return (range.reverse === true ? rows.reverse() : rows).slice(0, range.limit);
  }

  apply(effect: RowEffect): void {
    const { length } = effect.key;
    assert(length >= 1 && length <= rowKeyBytesMax, 'row keys are 1 to 3,072 bytes');
    const index = this.#indexOf(effect.key);
    const found = this.#rows[index];
    const there = found !== undefined && compareBytes(found[0], effect.key) === 0 ? 1 : 0;
    if (effect.kind === 'delete') this.#rows.splice(index, there);
    else this.#rows.splice(index, there, [effect.key.slice(), effect.value.slice()]);
  }
}

export type MemoryFault = (
  operation: 'change-directory' | 'call' | 'put-blob' | 'read-blob' | 'delete-blob' | 'list-blobs',
  detail: string,
) => void | Promise<void>;

export class MemoryCluster implements Cluster {
  readonly blobs = new Map<string, Uint8Array>();
  /** Called before each operation; what it throws is the operation's outcome. */
  fault: MemoryFault = () => {};
  /** Called after an operation took effect and before it is answered: its outcome gets lost. */
  lostAnswer: MemoryFault = () => {};
  #directory: Directory = emptyDirectory;
  holdsJobs = true;
  wallMs: () => number = () => 0;
  layout: LayoutRef = { pool: 2, layout: 1 };
  drainingLayouts: readonly LayoutRef[] = [];
  migrationProgress: MigrationProgress | undefined;
  notificationReport: NotificationReport | undefined;
  callCount = 0;
  /** Of the PG that an object is on. */
  tenureOf: (object: string) => number = () => 1;
  readonly #methods: Methods;
  readonly #objects = new Map<string, Rows>();
  #turn: Promise<unknown> = Promise.resolve();
  #sequence = 0;
  #counter = 0;
  incarnation = 7;
  /** Bytes of a blob that nobody stored, computed from its id: objects too large to be kept. */
  generated: ((blob: BlobId, offsetBytes: number, lengthBytes: number) => Uint8Array) | undefined;
  /** Whom the monitor takes for dead. */
  dead: readonly WriterRange[] = [];

  constructor(methods: Methods, users: readonly User[]) {
    this.#methods = methods;
    this.users = users;
  }

  /** Rows of an object of `.index`. */
  rows(object: string): readonly MethodRow[] {
    return this.#objects.get(`.index/${object}`)?.all ?? [];
  }

  objectNames(): readonly string[] {
    return [...this.#objects].filter(([, rows]) => rows.all.length > 0).map(([name]) => name);
  }

  /** All calls run one after another: the order of one PG. */
  call(pool: string, object: string, method: string, argument: Uint8Array): Promise<Uint8Array> {
    const result = this.#turn.then(() => this.#call(pool, object, method, argument));
    this.#turn = result.catch(() => {});
    return result;
  }

  async #call(
    pool: string,
    object: string,
    name: string,
    argument: Uint8Array,
  ): Promise<Uint8Array> {
    this.callCount++;
    await this.fault('call', name);
    if (pool !== '.index') throw new ClientError('no-such-pool', pool);
    if (argument.length > callBytesMax) throw new ClientError('too-large', `argument of ${name}`);
    const method = this.#methods.get(name);
    if (method === undefined) throw new ClientError('bad-request', `no method ${name}`);
    const path = `${pool}/${object}`;
    const rows = this.#objects.get(path) ?? new Rows();
    this.#objects.set(path, rows);
    const version = { tenure: this.tenureOf(object), sequence: this.#sequence + 1 };
    const outcome = await method(rows, argument, { version, wallMs: this.wallMs() });
    let bytes = 0;
    for (const effect of outcome.effects)
      bytes += effect.key.length + (effect.kind === 'put' ? effect.value.length : 0);
    if (bytes > callBytesMax) throw new ClientError('too-large', `effects of ${name}`);
    if (outcome.result.length > callBytesMax)
      throw new ClientError('too-large', `result of ${name}`);
    if (outcome.effects.length > 0) this.#sequence++;
    for (const effect of outcome.effects) rows.apply(effect);
    await this.lostAnswer('call', name);
    return outcome.result;
  }

  activeLayout(pool: string): LayoutRef {
    if (pool !== 'data') throw new ClientError('no-such-pool', pool);
    return this.layout;
  }

  inlineBytesMax(pool: string): number {
    if (pool !== 'data') throw new ClientError('no-such-pool', pool);
    return inlineBytesLimit;
  }

  migration(pool: string): Migration | undefined {
    if (pool !== 'data' || this.drainingLayouts.length === 0) return undefined;
    return { from: this.drainingLayouts, to: this.layout, bytesPerSecond: 0 };
  }

  reportMigration(_pool: string, progress: MigrationProgress): void {
    this.migrationProgress = progress;
  }

  reportNotifications(report: NotificationReport): void {
    this.notificationReport = report;
  }

  async allocateBlobs(count: number): Promise<BlobId> {
    const counter = this.#counter;
    this.#counter += count;
    return { incarnation: this.incarnation, counter };
  }

  async putBlob(layout: LayoutRef, blob: BlobId, views: readonly Uint8Array[]): Promise<void> {
    const name = blobName(layout, blob);
    await this.fault('put-blob', name);
    if (this.drainingLayouts.some((each) => each.layout === layout.layout))
      throw new ClientError('superseded', name);
    assert(!this.blobs.has(name), 'a blob is put once');
    let length = 0;
    for (const view of views) length += view.length;
    assert(length >= 1 && length <= blobBytesMax, 'a blob has 1 to blobBytesMax bytes');
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const view of views) {
      bytes.set(view, at);
      at += view.length;
    }
    this.blobs.set(name, bytes);
    await this.lostAnswer('put-blob', name);
  }

  async readBlob(
    layout: LayoutRef,
    blob: BlobId,
    range: { offsetBytes: number; lengthBytes: number },
  ): Promise<Uint8Array> {
    const name = blobName(layout, blob);
    await this.fault('read-blob', name);
    const bytes = this.blobs.get(name);
    if (bytes === undefined && this.generated !== undefined)
      return this.generated(blob, range.offsetBytes, range.lengthBytes);
    if (bytes === undefined) throw new ClientError('no-such-blob', name);
    const end = range.offsetBytes + range.lengthBytes;
    assert(range.lengthBytes > 0 && end <= bytes.length, 'the range lies inside the blob');
    return bytes.slice(range.offsetBytes, end);
  }

  async deleteBlob(layout: LayoutRef, blob: BlobId): Promise<void> {
    await this.fault('delete-blob', blobName(layout, blob));
    this.blobs.delete(blobName(layout, blob));
  }

  /** One PG. */
  async listBlobs(pool: string, query: BlobQuery): Promise<BlobPage> {
    await this.fault('list-blobs', pool);
    assert(pool === 'data', 'blobs are in the pool data');
    const after = query.cursor?.after;
    const found = [...this.blobs.keys()]
      .map((name) => parseBlobName(name))
      .filter((blob) => compareBlobs(blob, query.begin) >= 0 && compareBlobs(blob, query.end) < 0)
      .filter((blob) => after === undefined || compareBlobs(blob, after) > 0)
      .sort(compareBlobs);
    const blobs = found.slice(0, query.limit);
    const { layout } = this;
    const next =
      found.length > blobs.length
        ? { layout: layout.layout, pgIndex: 0, after: blobs.at(-1) }
        : undefined;
    return { layout, blobs, next };
  }

  async deadWriters(): Promise<readonly WriterRange[]> {
    return this.dead;
  }

  renewWriter(incarnation: number): void {
    if (this.incarnation === incarnation) this.incarnation++;
  }

  /** Plain ones, in place of all there are; the first may change the others. */
  set users(users: readonly User[]) {
    const revision = this.#directory.revision + 1;
    const plain = users.map((user, i) => plainUser(user, 0, i === 0));
    this.#directory = { ...emptyDirectory, revision, users: plain };
  }

  directory(): Directory {
    return this.#directory;
  }

  /** Encoded and read back, as a monitor does. */
  async changeDirectory(next: Directory): Promise<'done' | 'stale'> {
    await this.fault('change-directory', String(next.revision));
    if (next.revision !== this.#directory.revision + 1) return 'stale';
    const fault = directoryFault(next);
    assert(fault === undefined, `a directory that a monitor takes: ${fault}`);
    this.#directory = decodeDirectory(encodeDirectory(next));
    return 'done';
  }

  sessionsKey(): Uint8Array {
    return new Uint8Array(32).fill(7);
  }

  async holdsJob(): Promise<boolean> {
    return this.holdsJobs;
  }
}

function blobName(layout: LayoutRef, blob: BlobId): string {
  return `${layout.pool}.${layout.layout}/${formatBlobId(blob)}`;
}

function parseBlobName(name: string): BlobId {
  const [incarnation, counter] = name
    .slice(name.indexOf('/') + 1)
    .split('.')
    .map((hex) => Number.parseInt(hex, 16));
  return { incarnation: incarnation as number, counter: counter as number };
}

function compareBlobs(a: BlobId, b: BlobId): number {
  return a.incarnation - b.incarnation || a.counter - b.counter;
}
