// Which units of the block file are taken. One bit a unit, in pages that exist only while they are
// neither empty nor full, so that memory follows fragmentation and not capacity: a page is 32 KiB for
// 1 GiB of disk. Allocation is first fit, which keeps the file short.
//
// A unit is in one of three states: free, taken, or retired (freed by a transaction but perhaps still
// being read: the owner releases it later). The allocator knows only free and taken.

import { assert } from '../base/assert.ts';
import type { Extent } from './format.ts';

export const pageUnits = 262144;
const pageWords = pageUnits / 32;

type Page = {
  /** Undefined while all bits are equal: `takenCount` is 0 or `pageUnits`. */
  words: Uint32Array | undefined;
  takenCount: number;
  /** No word before it has a free bit. */
  firstFreeWord: number;
  /** No free run in the page is longer. */
  freeRunMax: number;
};

/** A set of unit numbers. */
export class UnitSet {
  readonly #pages: Page[] = [];
  #takenCount = 0;

  get takenCount(): number {
    return this.#takenCount;
  }

  /** Bytes of memory held by pages. */
  get memoryBytes(): number {
    let bytes = 0;
    for (const page of this.#pages) if (page.words !== undefined) bytes += pageUnits / 8;
    return bytes;
  }

  #page(index: number): Page {
    while (this.#pages.length <= index)
      this.#pages.push({
        words: undefined,
        takenCount: 0,
        firstFreeWord: 0,
        freeRunMax: pageUnits,
      });
    return this.#pages[index] as Page;
  }

  has(unit: number): boolean {
    const page = this.#pages[Math.floor(unit / pageUnits)];
    if (page === undefined) return false;
    if (page.words === undefined) return page.takenCount > 0;
    const at = unit % pageUnits;
    return (((page.words[at >>> 5] as number) >>> (at & 31)) & 1) === 1;
  }

  /** Returns how many units were not in the set before. */
  add(extent: Extent): number {
    return this.#change(extent, 'add');
  }

  /** Returns how many units were in the set before. */
  remove(extent: Extent): number {
    return this.#change(extent, 'remove');
  }

  #change(extent: Extent, change: 'add' | 'remove'): number {
    let changed = 0;
    const end = extent.firstUnit + extent.unitCount;
    for (let unit = extent.firstUnit; unit < end; ) {
      const pageIndex = Math.floor(unit / pageUnits);
      const count = Math.min(end, (pageIndex + 1) * pageUnits) - unit;
      changed += this.#changeInPage(this.#page(pageIndex), unit % pageUnits, count, change);
      unit += count;
    }
    return changed;
  }

  #changeInPage(page: Page, first: number, count: number, change: 'add' | 'remove'): number {
    const uniform = change === 'add' ? pageUnits : 0;
    if (page.takenCount === uniform) return 0;
    page.words ??= new Uint32Array(pageWords).fill(page.takenCount === 0 ? 0 : 0xffffffff);
    let changed = 0;
    for (let at = first; at < first + count; ) {
      const bit = at & 31;
      const bits = Math.min(32 - bit, first + count - at);
      const mask = (bits === 32 ? 0xffffffff : ((1 << bits) - 1) << bit) >>> 0;
      const word = page.words[at >>> 5] as number;
      const next = (change === 'add' ? word | mask : word & ~mask) >>> 0;
      changed += popCount((word ^ next) >>> 0);
      page.words[at >>> 5] = next;
      at += bits;
    }
    if (change === 'add') {
      page.takenCount += changed;
      this.#takenCount += changed;
    } else {
      page.takenCount -= changed;
      this.#takenCount -= changed;
      page.firstFreeWord = Math.min(page.firstFreeWord, first >>> 5);
      page.freeRunMax = pageUnits;
    }
    if (page.takenCount === 0 || page.takenCount === pageUnits) {
      page.words = undefined;
      page.firstFreeWord = 0;
      page.freeRunMax = page.takenCount === 0 ? pageUnits : 0;
    }
    return changed;
  }

  /** The first run of `unitCount` units not in the set, within one page and below `unitsEnd`. */
  findFree(unitCount: number, unitsEnd: number): number | undefined {
    assert(unitCount >= 1 && unitCount <= pageUnits, 'a run fits into a page');
    for (let index = 0; index * pageUnits < unitsEnd; index++) {
      const page = this.#page(index);
      if (page.freeRunMax < unitCount) continue;
      const limit = Math.min(pageUnits, unitsEnd - index * pageUnits);
      const found = findFreeInPage(page, unitCount, limit);
      if (found !== undefined) return index * pageUnits + found;
    }
    return undefined;
  }
}

function findFreeInPage(page: Page, unitCount: number, limit: number): number | undefined {
  const words = page.words;
  if (words === undefined) return page.takenCount === 0 && unitCount <= limit ? 0 : undefined;
  let run = 0;
  let runMax = 0;
  let sawFree = false;
  for (let index = page.firstFreeWord; index * 32 < limit; index++) {
    const word = words[index] as number;
    if (word === 0xffffffff) {
      run = 0;
      continue;
    }
    if (!sawFree) {
      page.firstFreeWord = index;
      sawFree = true;
    }
    for (let bit = 0; bit < 32 && index * 32 + bit < limit; bit++) {
      if (word === 0 && run + 32 < unitCount && index * 32 + 32 <= limit) {
        run += 32;
        if (run > runMax) runMax = run;
        break;
      }
      if ((word >>> bit) & 1) {
        run = 0;
        continue;
      }
      run++;
      if (run > runMax) runMax = run;
      if (run === unitCount) return index * 32 + bit + 1 - unitCount;
    }
  }
  // Only a search to the page's own end has seen every run.
  if (limit === pageUnits) page.freeRunMax = runMax;
  return undefined;
}

function popCount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export class ExtentAllocator {
  readonly #taken = new UnitSet();
  /** Units from here on are never handed out, but may be taken already. */
  readonly unitsEnd: number;

  constructor(unitsEnd: number) {
    this.unitsEnd = unitsEnd;
  }

  get takenUnits(): number {
    return this.#taken.takenCount;
  }

  get memoryBytes(): number {
    return this.#taken.memoryBytes;
  }

  /** Marks units found taken when the store is opened. Returns how many were not marked already. */
  claim(extent: Extent): number {
    return this.#taken.add(extent);
  }

  /** One extent where possible, more where the disk is fragmented; undefined when there is no room. */
  allocate(unitCount: number): Extent[] | undefined {
    const extents: Extent[] = [];
    let missing = unitCount;
    let pieceUnits = Math.min(missing, pageUnits);
    while (missing > 0) {
      const firstUnit = this.#taken.findFree(pieceUnits, this.unitsEnd);
      if (firstUnit === undefined) {
        if (pieceUnits === 1) {
          for (const extent of extents) this.release(extent);
          return undefined;
        }
        pieceUnits = Math.ceil(pieceUnits / 2);
        continue;
      }
      const extent = { firstUnit, unitCount: pieceUnits };
      const added = this.#taken.add(extent);
      assert(added === pieceUnits, 'only free units are handed out');
      extents.push(extent);
      missing -= pieceUnits;
      pieceUnits = Math.min(missing, pieceUnits);
    }
    return extents;
  }

  release(extent: Extent): void {
    const removed = this.#taken.remove(extent);
    assert(removed === extent.unitCount, 'only taken units are released');
  }
}
