// Blobs that may be orphans, a bit each: what dead writers have stored, until a reference strikes it out. Memory is
// bounded: when there are more, the greatest ids are given up, and `end` says from where on the set knows
// nothing.

import { assert } from '../base/assert.ts';
import type { BlobId } from '../base/ids.ts';

/** Counters of one writer that share a page; the blobs of one upload are next to each other. */
const countersPerPage = 32 * 1024;

interface Page {
  readonly incarnation: number;
  readonly index: number;
  readonly bits: Uint8Array;
}

function isBefore(a: BlobId, b: BlobId): boolean {
  return (
    a.incarnation < b.incarnation || (a.incarnation === b.incarnation && a.counter < b.counter)
  );
}

export class OrphanCandidates {
  readonly #pages = new Map<string, Page>();
  readonly #pagesMax: number;
  #end: BlobId | undefined;
  #size = 0;

  /** Each page is 4 KiB. */
  constructor(pagesMax: number) {
    assert(pagesMax > 0, 'a set has room for a page');
    this.#pagesMax = pagesMax;
  }

  get size(): number {
    return this.#size;
  }

  /** No blob from here on is in the set; undefined: every blob that was added is. */
  get end(): BlobId | undefined {
    return this.#end;
  }

  add(blob: BlobId): void {
    if (this.#end !== undefined && !isBefore(blob, this.#end)) return;
    const index = Math.floor(blob.counter / countersPerPage);
    const name = `${blob.incarnation}.${index}`;
    let page = this.#pages.get(name);
    if (page === undefined) {
      const bits = new Uint8Array(countersPerPage / 8);
      page = { incarnation: blob.incarnation, index, bits };
      this.#pages.set(name, page);
    }
    this.#change(page, blob.counter, 'add');
    if (this.#pages.size > this.#pagesMax) this.#giveUpLast();
  }

  has(blob: BlobId): boolean {
    const page = this.#pageOf(blob.incarnation, blob.counter);
    if (page === undefined) return false;
    const bit = blob.counter % countersPerPage;
    return ((page.bits[bit >> 3] as number) & (1 << (bit & 7))) !== 0;
  }

  /** Strikes out a whole run: something refers to it. */
  delete(run: { readonly first: BlobId; readonly count: number }): void {
    const { incarnation, counter } = run.first;
    const end = counter + run.count;
    for (let at = counter; at < end; ) {
      const page = this.#pageOf(incarnation, at);
      const pageEnd = (Math.floor(at / countersPerPage) + 1) * countersPerPage;
      const stop = Math.min(end, pageEnd);
      if (page !== undefined) for (let c = at; c < stop; c++) this.#change(page, c, 'delete');
      at = stop;
    }
  }

  #pageOf(incarnation: number, counter: number): Page | undefined {
    return this.#pages.get(`${incarnation}.${Math.floor(counter / countersPerPage)}`);
  }

  #change(page: Page, counter: number, change: 'add' | 'delete'): void {
    const bit = counter % countersPerPage;
    const mask = 1 << (bit & 7);
    const before = page.bits[bit >> 3] as number;
    const after = change === 'add' ? before | mask : before & ~mask;
    if (after === before) return;
    page.bits[bit >> 3] = after;
    this.#size += change === 'add' ? 1 : -1;
  }

  #giveUpLast(): void {
    let last: Page | undefined;
    for (const page of this.#pages.values())
      if (
        last === undefined ||
        page.incarnation > last.incarnation ||
        (page.incarnation === last.incarnation && page.index > last.index)
      )
        last = page;
    if (last === undefined) return;
    this.#pages.delete(`${last.incarnation}.${last.index}`);
    for (const byte of last.bits) for (let rest = byte; rest !== 0; rest &= rest - 1) this.#size--;
    this.#end = { incarnation: last.incarnation, counter: last.index * countersPerPage };
  }
}
