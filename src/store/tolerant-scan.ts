// Scans that go on behind places the key-value store can't read, and say where they were. Only
// opening a store uses them: everything that is readable must be found, whatever is not.

import { afterKey, compareBytes } from '../base/bytes.ts';
import { EnvError } from '../env/errors.ts';
import type { KeyValue, Row } from '../env/key-value.ts';

export type Scanned =
  | { readonly kind: 'row'; readonly key: Uint8Array; readonly value: Uint8Array }
  /** Rows with `begin <= key < end` can't be read, if there are any; `end` is the scan's own at the end. */
  | { readonly kind: 'gap'; readonly begin: Uint8Array; readonly end: Uint8Array };

export interface TolerantRange {
  readonly begin: Uint8Array;
  readonly end: Uint8Array;
  readonly rowsPerScan: number;
}

export async function* tolerantScan(
  keyValue: KeyValue,
  range: TolerantRange,
): AsyncIterable<Scanned> {
  let limit = range.rowsPerScan;
  for (let begin = range.begin; ; ) {
    const page = await readPage(keyValue, begin, range.end, limit);
    if (page === undefined) {
      // One row at a time up to the unreadable place, then over it.
      if (limit > 1) {
        limit = 1;
        continue;
      }
      const next = await findReadable(keyValue, begin, range.end);
      yield { kind: 'gap', begin, end: next };
      if (compareBytes(next, range.end) >= 0) return;
      begin = next;
      limit = range.rowsPerScan;
      continue;
    }
    for (const [key, value] of page) yield { kind: 'row', key, value };
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return;
    begin = afterKey(last[0]);
  }
}

async function readPage(
  keyValue: KeyValue,
  begin: Uint8Array,
  end: Uint8Array,
  limit: number,
): Promise<readonly Row[] | undefined> {
  try {
    return await keyValue.scan({ begin, end, limit });
  } catch (error) {
    if (error instanceof EnvError && error.code === 'corrupt') return undefined;
    throw error;
  }
}

/**
 * A key behind `begin` from which a row can be read, or `end`. Seen as a number, the key is raised by
 * 1, 2, 4 ... in its last byte, then in the one before: each jump is about twice the one before, so no
 * more is jumped over than was unreadable, and there are eight tries a byte.
 */
async function findReadable(
  keyValue: KeyValue,
  begin: Uint8Array,
  end: Uint8Array,
): Promise<Uint8Array> {
  for (let length = begin.length; length > 0; length--)
    for (let amount = 1; amount <= 128; amount *= 2) {
      const candidate = raise(begin.subarray(0, length), amount);
      if (candidate === undefined || compareBytes(candidate, end) >= 0) break;
      const page = await readPage(keyValue, candidate, end, 1);
      if (page !== undefined) return page[0]?.[0] ?? end;
    }
  return end;
}

/** The bytes as a big-endian number, plus `amount`; undefined when it does not fit. */
function raise(bytes: Uint8Array, amount: number): Uint8Array | undefined {
  const raised = bytes.slice();
  let carry = amount;
  for (let i = raised.length - 1; i >= 0; i--) {
    const sum = (raised[i] as number) + carry;
    raised[i] = sum & 0xff;
    carry = sum >>> 8;
    if (carry === 0) return raised;
  }
  return undefined;
}
