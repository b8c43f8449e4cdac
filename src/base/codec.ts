// Byte codecs built from parts. A codec writes a value and reads it back; every format on disk and
// every message is one. Reading never trusts: lengths are bounded by the bytes that are there, and
// what does not fit throws `DecodeError`, which the caller turns into its own error.
//
// Integers are LEB128 (`uint`, up to 2^53 - 1) or fixed little-endian (`u8`, `u32`, `u64`).

import { assert } from './assert.ts';
import { decodeUtf8, encodeUtf8 } from './bytes.ts';

/** The bytes are not what the codec describes. A fact about data, never about the program. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

export class Writer {
  #buffer: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacityBytes = 256) {
    this.#buffer = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** Begins anew in the same memory: what `finish` gave out before is overwritten. */
  reset(): void {
    this.#length = 0;
  }

  #reserve(bytes: number): number {
    const at = this.#length;
    const needed = at + bytes;
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, at));
      this.#buffer = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = needed;
    return at;
  }

  u8(value: number): void {
    assert(value >= 0 && value <= 0xff, 'u8 in range');
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  u32(value: number): void {
    assert(value >= 0 && value <= 0xffffffff, 'u32 in range');
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
  }

  /** A safe integer in eight bytes. */
  u64(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'u64 is a safe integer');
    const at = this.#reserve(8);
    this.#view.setUint32(at, value % 2 ** 32, true);
    this.#view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }

  uint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'uint is a safe integer');
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  f64(value: number): void {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value, true);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Length, then UTF-8. */
  text(value: string): void {
    const length = value.length;
    // Almost every text here is a short ASCII name: written without a detour through an encoder.
    if (length < 128) {
      const at = this.#reserve(1 + length);
      const buffer = this.#buffer;
      let i = 0;
      for (; i < length; i++) {
        const code = value.charCodeAt(i);
        if (code >= 0x80) break;
        buffer[at + 1 + i] = code;
      }
      if (i === length) {
        buffer[at] = length;
        return;
      }
      this.#length = at;
    }
    const encoded = encodeUtf8(value);
    this.uint(encoded.length);
    this.raw(encoded);
  }

  /** A view of what was written; valid until the next write. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}

/** Names, owners, storage classes: the same few come again and again, a thousand times in a page of a listing. */
const knownTextBytesMax = 24;
const knownTexts: (string | undefined)[] = new Array(256);

function isText(text: string, bytes: Uint8Array, from: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80 || code !== bytes[from + i]) return false;
  }
  return true;
}

export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#bytes.length - at)
      throw new DecodeError(`wanted ${bytes} bytes at ${at}, ${this.remaining} left`);
    this.#at = at + bytes;
    return at;
  }

  /** `length` bytes of UTF-8; malformed sequences become U+FFFD. */
  utf8(length: number): string {
    const at = this.#take(length);
    const bytes = this.#bytes;
    if (length > knownTextBytesMax) return decodeUtf8(bytes.subarray(at, at + length));
    let hash = length;
    for (let i = at; i < at + length; i++) hash = (hash * 31 + (bytes[i] as number)) | 0;
    const known = knownTexts[hash & 0xff];
    if (known !== undefined && isText(known, bytes, at, length)) return known;
    const text = decodeUtf8(bytes.subarray(at, at + length));
    // Only ASCII has as many characters as bytes, each equal to its byte.
    if (isText(text, bytes, at, length)) knownTexts[hash & 0xff] = text;
    return text;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
    if (!Number.isSafeInteger(value)) throw new DecodeError('integer beyond 2^53');
    return value;
  }

  uint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new DecodeError('integer beyond 2^53');
        return value;
      }
      scale *= 0x80;
    }
    throw new DecodeError('integer too long');
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** A view into the source, not a copy. */
  raw(bytes: number): Uint8Array {
    const at = this.#take(bytes);
    return this.#bytes.subarray(at, at + bytes);
  }
}

export interface Codec<T> {
  write(writer: Writer, value: T): void;
  read(reader: Reader): T;
}

/** The type a codec carries: `type Foo = Carried<typeof fooCodec>`. */
export type Carried<C> = C extends Codec<infer T> ? T : never;

export const u8: Codec<number> = { write: (w, v) => w.u8(v), read: (r) => r.u8() };
export const u32: Codec<number> = { write: (w, v) => w.u32(v), read: (r) => r.u32() };
export const u64: Codec<number> = { write: (w, v) => w.u64(v), read: (r) => r.u64() };
export const uint: Codec<number> = { write: (w, v) => w.uint(v), read: (r) => r.uint() };
export const f64: Codec<number> = { write: (w, v) => w.f64(v), read: (r) => r.f64() };

export const bool: Codec<boolean> = {
  write: (w, v) => w.u8(v ? 1 : 0),
  read: (r) => {
    const value = r.u8();
    if (value > 1) throw new DecodeError(`boolean is ${value}`);
    return value === 1;
  },
};

/** Decoded as a view into the source. */
export const bytes: Codec<Uint8Array> = {
  write: (w, v) => {
    w.uint(v.length);
    w.raw(v);
  },
  read: (r) => r.raw(r.uint()),
};

export const text: Codec<string> = {
  write: (w, v) => w.text(v),
  read: (r) => r.utf8(r.uint()),
};

/** A string type narrowed by a brand or a pattern; `check` says whether a decoded text is one. */
export function brandedText<T extends string>(
  name: string,
  check: (value: string) => value is T,
): Codec<T> {
  return {
    write: (w, v) => text.write(w, v),
    read: (r) => {
      const value = text.read(r);
      if (!check(value)) throw new DecodeError(`not a ${name}: ${value.slice(0, 40)}`);
      return value;
    },
  };
}

/** Texts remembered at once; more than any cluster has, and bounded whatever a peer sends. */
const sharedTextsMax = 65_536;

/** Equal texts are one string in memory, whatever message they came in. */
export function sharedText<T extends string>(codec: Codec<T>): Codec<T> {
  const known = new Map<T, T>();
  return {
    write: codec.write,
    read: (r) => {
      const value = codec.read(r);
      const same = known.get(value);
      if (same !== undefined) return same;
      if (known.size >= sharedTextsMax) known.clear();
      known.set(value, value);
      return value;
    },
  };
}

/** One of a fixed list of words, as one byte: its position. Append only. */
export function oneOf<const W extends string>(...words: readonly W[]): Codec<W> {
  return {
    write: (w, v) => w.u8(words.indexOf(v)),
    read: (r) => {
      const index = r.u8();
      const word = words[index];
      if (word === undefined) throw new DecodeError(`choice ${index} of ${words.length}`);
      return word;
    },
  };
}

export function option<T>(item: Codec<T>): Codec<T | undefined> {
  return {
    write: (w, v) => {
      w.u8(v === undefined ? 0 : 1);
      if (v !== undefined) item.write(w, v);
    },
    read: (r) => (bool.read(r) ? item.read(r) : undefined),
  };
}

export function list<T>(item: Codec<T>): Codec<readonly T[]> {
  return {
    write: (w, v) => {
      w.uint(v.length);
      for (const each of v) item.write(w, each);
    },
    read: (r) => {
      const count = r.uint();
      // Every item takes at least one byte, so a count beyond what is left is a lie.
      if (count > r.remaining) throw new DecodeError(`list of ${count} in ${r.remaining} bytes`);
      const items: T[] = [];
      for (let i = 0; i < count; i++) items.push(item.read(r));
      return items;
    },
  };
}

type Fields = Readonly<Record<string, Codec<never>>>;
type Struct<F> = { readonly [K in keyof F]: Carried<F[K]> };

/** Fields in the order given. Every struct takes at least one byte, as `list` relies on. */
export function struct<const F extends Readonly<Record<string, unknown>>>(
  fields: F,
): Codec<Struct<F>> {
  const entries = Object.entries(fields as unknown as Fields);
  return {
    write: (w, v) => {
      for (const [name, codec] of entries)
        codec.write(w, (v as Record<string, never>)[name] as never);
      if (entries.length === 0) w.u8(0);
    },
    read: (r) => {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) value[name] = codec.read(r);
      if (entries.length === 0) r.u8();
      return value as Struct<F>;
    },
  };
}

/** What is kept on a disk, behind a byte that says in which version of its format. */
export function versioned<T>(what: string, version: number, body: Codec<T>): Codec<T> {
  return {
    write: (w, value) => {
      w.u8(version);
      body.write(w, value);
    },
    read: (r) => {
      const found = r.u8();
      if (found !== version) throw new DecodeError(`${what}, version ${found}: this is ${version}`);
      return body.read(r);
    },
  };
}

/**
 * A closed union told apart by `kind`; each case is `[tag, codec of the other fields]`. Tags are for
 * ever: a case that goes away leaves its tag unused.
 */
export function union<const C extends Readonly<Record<string, readonly [number, Codec<never>]>>>(
  cases: C,
): Codec<
  { [K in keyof C]: { readonly kind: K } & (C[K][1] extends Codec<infer T> ? T : never) }[keyof C]
> {
  type Value = { readonly kind: string };
  const byTag = new Map<number, [string, Codec<Value>]>();
  for (const [kind, [tag, codec]] of Object.entries(cases)) {
    assert(!byTag.has(tag), `tag ${tag} of ${kind} is used once`);
    byTag.set(tag, [kind, codec as unknown as Codec<Value>]);
  }
  return {
    write: (w: Writer, v: Value) => {
      const entry = cases[v.kind];
      assert(entry !== undefined, `a known kind: ${v.kind}`);
      w.u8(entry[0]);
      (entry[1] as unknown as Codec<Value>).write(w, v);
    },
    read: (r: Reader) => {
      const tag = r.u8();
      const entry = byTag.get(tag);
      if (entry === undefined) throw new DecodeError(`unknown tag ${tag}`);
      const value = entry[1].read(r) as unknown as Record<string, unknown>;
      value.kind = entry[0];
      return value as never;
    },
  } as never;
}

/** Larger memory than this is not kept between two `encode`. */
const scratchBytesMax = 256 * 1024;

let scratch = new Writer(16 * 1024);
let scratchIsFree = true;

/** A copy of exactly the encoded bytes. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  // A codec may call `encode` inside: only the outermost uses the shared memory.
  const isOurs = scratchIsFree;
  const writer = isOurs ? scratch : new Writer();
  scratchIsFree = false;
  try {
    writer.reset();
    codec.write(writer, value);
    const encoded = writer.finish().slice();
    if (isOurs && encoded.length > scratchBytesMax) scratch = new Writer(16 * 1024);
    return encoded;
  } finally {
    if (isOurs) scratchIsFree = true;
  }
}

/** Throws `DecodeError` when the bytes are not exactly one value. */
export function decode<T>(codec: Codec<T>, source: Uint8Array): T {
  const reader = new Reader(source);
  const value = codec.read(reader);
  if (reader.remaining !== 0) throw new DecodeError(`${reader.remaining} bytes too many`);
  return value;
}
