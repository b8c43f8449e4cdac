// The versions of one key as one call sees and changes them.
//
// The newest version is the row `k`, unless it is a delete marker: then, and for all versions before it, it is a row
// `v`. So a listing of objects reads rows `k` and nothing else. Always true:
// - a row `k` is newer than every row `v` of its key, and never a delete marker;
// - without a row `k`, the first row `v` is a delete marker, or there is none;
// - at most one version is called `null`; when it is a row `v`, the row `n` says which.
// A bucket that never kept versions has rows `k` alone, and its calls read no others.

import { compareBytes, formatHex } from '../../base/bytes.ts';
import { DecodeError } from '../../base/codec.ts';
import type {
  MethodContext,
  MethodRow,
  MethodView,
  RowEffect,
  Version,
} from '../../base/method.ts';
import {
  decodeEntry,
  decodeEntrySummary,
  decodeEntryVersion,
  type Entry,
  encodeEntryDraft,
  nullVersionFormat,
  plainAttributes,
  stampEntry,
} from './format.ts';
import type { GarbageList } from './garbage-list.ts';
import { entryRow, nullVersionRow, olderRow, olderRowsOf } from './rows.ts';
import { sameVersion, type VersionId } from './version-id.ts';
import { successor } from './walk.ts';

/** What the bucket does with what is replaced. `off` where versions were kept before is `suspended`. */
export type Versioning = 'off' | 'enabled' | 'suspended';

/** Rows of one key read at a time when looking for the newest that this call did not remove. */
const rowsPerLook = 16;

/** An entry of which nothing can be read is treated as what a bucket without versions holds. */
export function isNullVersion(row: Uint8Array): boolean {
  try {
    return decodeEntrySummary(row).isNull;
  } catch (error) {
    if (error instanceof DecodeError) return true;
    throw error;
  }
}

function versionOf(row: Uint8Array): Version | undefined {
  try {
    return decodeEntryVersion(row);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

export function isDeleteMarker(row: Uint8Array): boolean {
  try {
    return decodeEntrySummary(row).kind === 'delete-marker';
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

/**
 * An entry that can't be read keeps nobody from replacing or deleting it; its blobs, unknown, stay
 * until a listing of blobs against references finds them.
 */
export function readEntry(row: Uint8Array | undefined): Entry | undefined {
  if (row === undefined) return undefined;
  try {
    return decodeEntry(row);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

export interface FoundVersion {
  readonly place: 'current' | 'older';
  readonly row: Uint8Array;
  readonly value: Uint8Array;
}

/** What a row was before the call and is after it; undefined: not there. */
export interface ChangedRow {
  readonly row: Uint8Array;
  readonly before: Uint8Array | undefined;
  readonly value: Uint8Array | undefined;
}

export class KeyVersions {
  readonly key: Uint8Array;
  readonly #view: MethodView;
  readonly #currentBefore: Uint8Array | undefined;
  readonly #nullBefore: Version | undefined;
  #current: Uint8Array | undefined;
  #null: Version | undefined;
  /** What was read out of rows, once each: an entry with its bytes inside is checked over all of them. */
  readonly #entries = new Map<Uint8Array, Entry | undefined>();
  /** Rows `v` changed by this call; undefined: removed. By their key in hexadecimal. */
  readonly #older = new Map<string, ChangedRow>();

  private constructor(
    view: MethodView,
    key: Uint8Array,
    current: Uint8Array | undefined,
    nullVersion: Uint8Array | undefined,
  ) {
    this.key = key;
    this.#view = view;
    this.#currentBefore = current;
    this.#current = current;
    this.#nullBefore =
      nullVersion === undefined ? undefined : nullVersionFormat.decode(nullVersion).version;
    this.#null = this.#nullBefore;
  }

  /** Of a shard without rows `v`: the row `k` is all there is. */
  static ofCurrent(
    view: MethodView,
    key: Uint8Array,
    current: Uint8Array | undefined,
  ): KeyVersions {
    return new KeyVersions(view, key, current, undefined);
  }

  /** `versioned`: whether the shard has rows `v` at all. */
  static async load(
    view: MethodView,
    keys: readonly Uint8Array[],
    versioned: boolean,
  ): Promise<readonly KeyVersions[]> {
    const rows = await view.getMany([
      ...keys.map(entryRow),
      ...(versioned ? keys.map(nullVersionRow) : []),
    ]);
    return keys.map((key, i) => new KeyVersions(view, key, rows[i], rows[keys.length + i]));
  }

  /** The newest version, unless that is a delete marker. */
  get current(): Uint8Array | undefined {
    return this.#current;
  }

  /** As `readEntry`. */
  entryOf(row: Uint8Array | undefined): Entry | undefined {
    if (row === undefined) return undefined;
    if (this.#entries.has(row)) return this.#entries.get(row);
    const entry = readEntry(row);
    this.#entries.set(row, entry);
    return entry;
  }

  #isNull(row: Uint8Array): boolean {
    return this.#entries.get(row)?.isNull ?? isNullVersion(row);
  }

  async find(id: VersionId): Promise<FoundVersion | undefined> {
    if (id === 'null') {
      if (this.#current !== undefined && this.#isNull(this.#current)) return this.#foundCurrent();
      return this.#null === undefined ? undefined : this.#findOlder(this.#null);
    }
    const current = this.#current;
    if (current !== undefined && !isNullVersion(current)) {
      const version = versionOf(current);
      if (version !== undefined && sameVersion(version, id)) return this.#foundCurrent();
    }
    const found = await this.#findOlder(id);
    return found === undefined || isNullVersion(found.value) ? undefined : found;
  }

  #foundCurrent(): FoundVersion | undefined {
    if (this.#current === undefined) return undefined;
    return { place: 'current', row: entryRow(this.key), value: this.#current };
  }

  async #findOlder(version: Version): Promise<FoundVersion | undefined> {
    const row = olderRow(this.key, version);
    const changed = this.#older.get(formatHex(row));
    const value = changed === undefined ? await this.#view.get(row) : changed.value;
    return value === undefined ? undefined : { place: 'older', row, value };
  }

  /** The first row `v`, with what this call changed. */
  async newestOlder(): Promise<MethodRow | undefined> {
    let newest: MethodRow | undefined;
    for (const { row, value } of this.#older.values())
      if (value !== undefined && (newest === undefined || compareBytes(row, newest[0]) < 0))
        newest = [row, value];
    let begin = olderRowsOf(this.key);
    const end = successor(begin);
    while (true) {
      const rows = await this.#view.scan({ begin, end, limit: rowsPerLook });
      for (const row of rows) {
        if (this.#older.has(formatHex(row[0]))) continue;
        return newest !== undefined && compareBytes(newest[0], row[0]) < 0 ? newest : row;
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < rowsPerLook) return newest;
      begin = new Uint8Array(last[0].length + 1);
      begin.set(last[0]);
    }
  }

  /** `seen`: what the view has there. */
  #setOlder(row: Uint8Array, value: Uint8Array | undefined, seen?: Uint8Array): void {
    const name = formatHex(row);
    const changed = this.#older.get(name);
    this.#older.set(name, { row, value, before: changed === undefined ? seen : changed.before });
  }

  /** What was current becomes one of the older; what nobody can name is replaced instead. */
  #demoteCurrent(garbage: GarbageList): void {
    const current = this.#current;
    if (current === undefined) return;
    const version = versionOf(current);
    if (version === undefined) {
      garbage.addEntry(readEntry(current));
    } else {
      this.#setOlder(olderRow(this.key, version), current);
      if (isNullVersion(current)) this.#null = version;
    }
    this.#current = undefined;
  }

  /** Takes the version called `null` away, wherever it is. Its successor is about to be written. */
  async #dropNull(garbage: GarbageList): Promise<void> {
    if (this.#current !== undefined && this.#isNull(this.#current)) {
      garbage.addEntry(this.entryOf(this.#current));
      this.#current = undefined;
      return;
    }
    if (this.#null === undefined) return;
    const found = await this.#findOlder(this.#null);
    if (found !== undefined) {
      garbage.addEntry(this.entryOf(found.value));
      this.#setOlder(found.row, undefined, found.value);
    }
    this.#null = undefined;
  }

  /** What a put in this mode would take away for good. */
  async replacedBy(versioning: Versioning): Promise<Uint8Array | undefined> {
    return versioning === 'enabled' ? undefined : (await this.find('null'))?.value;
  }

  /** A new version, the newest from now on. `draft` says itself whether it is called `null`. */
  async put(draft: Uint8Array, versioning: Versioning, list: Changes): Promise<void> {
    if (versioning !== 'enabled') await this.#dropNull(list.garbage);
    this.#demoteCurrent(list.garbage);
    const { version } = list.context;
    this.#current = stampEntry(draft, version, version);
  }

  /** A delete marker, the newest version from now on. */
  async putMarker(owner: string, versioning: Versioning, list: Changes): Promise<void> {
    if (versioning !== 'enabled') await this.#dropNull(list.garbage);
    this.#demoteCurrent(list.garbage);
    const { version, wallMs } = list.context;
    const isNull = versioning !== 'enabled';
    const draft = encodeEntryDraft({
      sizeBytes: 0,
      etag: '',
      wallMs: Math.floor(wallMs),
      checksum: undefined,
      kind: 'delete-marker',
      isNull,
      owner,
      storageClass: '',
      headers: [],
      metadata: [],
      tags: [],
      uploadId: undefined,
      partCount: 0,
      ...plainAttributes,
      content: { kind: 'inline', bytes: new Uint8Array(0) },
    });
    this.#setOlder(olderRow(this.key, version), stampEntry(draft, version, version));
    if (isNull) this.#null = version;
  }

  /** Takes one version away for good; what is the newest then becomes the current one. */
  async remove(found: FoundVersion, list: Changes): Promise<void> {
    list.garbage.addEntry(this.entryOf(found.value));
    if (found.place === 'current') {
      this.#current = undefined;
    } else {
      this.#setOlder(found.row, undefined, found.value);
      if (isNullVersion(found.value)) this.#null = undefined;
    }
    if (this.#current === undefined && list.versioned) await this.#promote();
  }

  async #promote(): Promise<void> {
    const newest = await this.newestOlder();
    if (newest === undefined || isDeleteMarker(newest[1])) return;
    this.#setOlder(newest[0], undefined, newest[1]);
    this.#current = newest[1];
    if (isNullVersion(newest[1])) this.#null = undefined;
  }

  /** The same version with other tags, rights or locks. */
  replace(found: FoundVersion, value: Uint8Array): void {
    if (found.place === 'current') this.#current = value;
    else this.#setOlder(found.row, value, found.value);
  }

  /** The rows of entries that this call adds, removes or replaces. */
  changes(): readonly ChangedRow[] {
    const current = {
      row: entryRow(this.key),
      before: this.#currentBefore,
      value: this.#current,
    };
    return [current, ...this.#older.values()];
  }

  effects(): RowEffect[] {
    const effects: RowEffect[] = [];
    const change = (key: Uint8Array, value: Uint8Array | undefined): void => {
      effects.push(value === undefined ? { kind: 'delete', key } : { kind: 'put', key, value });
    };
    if (this.#current !== this.#currentBefore) change(entryRow(this.key), this.#current);
    for (const { row, value } of this.#older.values()) change(row, value);
    const before = this.#nullBefore;
    const after = this.#null;
    const same =
      before === undefined || after === undefined ? before === after : sameVersion(before, after);
    if (!same)
      change(
        nullVersionRow(this.key),
        after === undefined ? undefined : nullVersionFormat.encode({ version: after }),
      );
    return effects;
  }
}

/** What a call has to hand while it changes keys. */
export interface Changes {
  readonly context: MethodContext;
  readonly garbage: GarbageList;
  readonly versioned: boolean;
}
