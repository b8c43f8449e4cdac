// How a daemon's memory budget (promise P6) is shared out. One place, so that the parts add up.

const mebibyte = 1024 * 1024;

/** As usual for an OSD's memory target on a small machine. */
export const memoryBudgetBytesDefault: number = 256 * mebibyte;

/** With less, one blob of the widest geometry would not fit its share. */
export const memoryBudgetBytesMin: number = 128 * mebibyte;

/** Node.js, the program, the tables of LevelDB: there before the first request, whatever the budget. */
const fixedBytes = 64 * mebibyte;

/** V8 ends a process that needs more than its limit: with a small budget garbage is collected earlier instead. */
const heapBytesMin = 64 * mebibyte;

export interface MemoryShares {
  /**
   * V8's own heap; buffers live outside it. What a daemon keeps there is small, and without a limit garbage may
   * grow to gigabytes.
   */
  readonly heapBytes: number;
  /**
   * The heap's young generation: larger ones make fewer collections and cost up to three times their size. Twice this
   * would leave a gateway under full load only a few MiB.
   */
  readonly youngBytes: number;
  /** Buffers that are used again (base/buffer-pool.ts). */
  readonly poolBytes: number;
  /** An OSD: shards of blobs being put that it holds as their primary, whoever puts them. */
  readonly ingestBytes: number;
  /** A gateway: bodies on their way, which its buffers and sockets hold once more. */
  readonly bodiesBytes: number;
}

export function memoryShares(budgetBytes: number): MemoryShares {
  const shared = Math.max(memoryBudgetBytesMin, budgetBytes) - fixedBytes;
  return {
    heapBytes: Math.max(heapBytesMin, Math.floor(shared / 2)),
    youngBytes: Math.floor(shared / 16),
    poolBytes: Math.floor(shared / 3),
    ingestBytes: Math.floor(shared / 3),
    bodiesBytes: Math.floor((shared * 5) / 12),
  };
}
