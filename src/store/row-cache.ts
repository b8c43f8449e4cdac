// Rows and onodes read or written lately, bounded in bytes, least recently used out first. Holds only
// what the key-value store holds too: whoever changes a key removes it here first.

import type { Onode } from './format.ts';

export type CachedRow =
  | { readonly kind: 'row'; readonly value: Uint8Array }
  | { readonly kind: 'onode'; readonly onode: Onode };

/** Map entry, key text and objects around the bytes, measured roughly. */
const overheadBytes = 300;

export class RowCache {
  readonly #rows = new Map<string, CachedRow>();
  readonly #limitBytes: number;
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): CachedRow | undefined {
    const row = this.#rows.get(key);
    if (row === undefined) return undefined;
    this.#rows.delete(key);
    this.#rows.set(key, row);
    return row;
  }

  put(key: string, row: CachedRow): void {
    this.delete(key);
    const bytes = costBytes(key, row);
    // A single large row must not empty the cache.
    if (bytes > this.#limitBytes / 8) return;
    this.#rows.set(key, row);
    this.#bytes += bytes;
    for (const [oldest] of this.#rows) {
      if (this.#bytes <= this.#limitBytes) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const row = this.#rows.get(key);
    if (row === undefined) return;
    this.#rows.delete(key);
    this.#bytes -= costBytes(key, row);
  }
}

function costBytes(key: string, row: CachedRow): number {
  return overheadBytes + key.length + contentBytes(row);
}

function contentBytes(row: CachedRow): number {
  if (row.kind === 'row') return row.value.length;
  const { header, placement } = row.onode;
  if (placement.kind === 'inline') return header.length + placement.data.length;
  return header.length + placement.checksums.byteLength + 64 * placement.extents.length;
}
