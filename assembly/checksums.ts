// CRC-32C, CRC-32 and CRC-64/NVME over bytes that lie in this module's memory, which
// src/base/checksums-kernel.ts lays out. Registers are given and returned as they stand, without
// the inversions at both ends.
//
// CRC-32 without a carry-less multiplication: a multiple of the polynomial with only six terms,
// x^t5 + x^(t5-t1) + ... + x^(t5-t4) + 1, lets a unit of the input be cancelled by adding it to
// five later units, t1 to t5 units on. Told from the other side: a unit's cancelled value is itself
// plus five earlier cancelled values. That is a few loads and XORs of vectors, and what remains are
// the last t5 units. The unit is any number of bits that is a power of two (if P divides a
// polynomial in x, it divides the same one in x^2). So long input is folded twice: in units of 16
// bytes, where everything is aligned, then what remains in units of 4. The rest goes through tables.
// The distances were found by searching for the smallest t5 with t1 above 64 (crc32c) and 32.
//
//   offset   size     field
//   0        64 KiB   tables (checksums-kernel.ts makes them)
//   64 KiB   2 KiB    zeros
//   66 KiB   5 KiB    remainder of the first folding
//   71 KiB   2 KiB    remainder of the second folding
//   73 KiB   5 KiB    zeros
//   78 KiB            input, overwritten

/**
 * Advances a register of CRC-32C by 16 bytes at a time, with a table of 256 words for each of them.
 * The tables' addresses are written out because only so they become part of the load instruction.
 */
function slice32c(register: u32, at: usize, bytes: usize): u32 {
  const end = at + bytes;
  const blockEnd = at + (bytes & ~15);
  while (at < blockEnd) {
    const a = load<u32>(at) ^ register;
    const b = load<u32>(at, 4);
    const c = load<u32>(at, 8);
    const d = load<u32>(at, 12);
    register =
      load<u32>((b & 255) << 2, 11 * 1024) ^ load<u32>(((b >> 8) & 255) << 2, 10 * 1024) ^
      load<u32>(((b >> 16) & 255) << 2, 9 * 1024) ^ load<u32>((b >> 24) << 2, 8 * 1024) ^
      load<u32>((c & 255) << 2, 7 * 1024) ^ load<u32>(((c >> 8) & 255) << 2, 6 * 1024) ^
      load<u32>(((c >> 16) & 255) << 2, 5 * 1024) ^ load<u32>((c >> 24) << 2, 4 * 1024) ^
      load<u32>((d & 255) << 2, 3 * 1024) ^ load<u32>(((d >> 8) & 255) << 2, 2 * 1024) ^
      load<u32>(((d >> 16) & 255) << 2, 1 * 1024) ^ load<u32>((d >> 24) << 2, 0 * 1024) ^
      ((load<u32>((a & 255) << 2, 15 * 1024) ^ load<u32>(((a >> 8) & 255) << 2, 14 * 1024)) ^
        (load<u32>(((a >> 16) & 255) << 2, 13 * 1024) ^ load<u32>((a >> 24) << 2, 12 * 1024)));
    at += 16;
  }
  while (at < end) {
    register = load<u32>(((register ^ load<u8>(at)) & 255) << 2, 0 * 1024) ^ (register >> 8);
    at += 1;
  }
  return register;
}

/** The same for CRC-32. */
function slice32(register: u32, at: usize, bytes: usize): u32 {
  const end = at + bytes;
  const blockEnd = at + (bytes & ~15);
  while (at < blockEnd) {
    const a = load<u32>(at) ^ register;
    const b = load<u32>(at, 4);
    const c = load<u32>(at, 8);
    const d = load<u32>(at, 12);
    register =
      load<u32>((b & 255) << 2, 27 * 1024) ^ load<u32>(((b >> 8) & 255) << 2, 26 * 1024) ^
      load<u32>(((b >> 16) & 255) << 2, 25 * 1024) ^ load<u32>((b >> 24) << 2, 24 * 1024) ^
      load<u32>((c & 255) << 2, 23 * 1024) ^ load<u32>(((c >> 8) & 255) << 2, 22 * 1024) ^
      load<u32>(((c >> 16) & 255) << 2, 21 * 1024) ^ load<u32>((c >> 24) << 2, 20 * 1024) ^
      load<u32>((d & 255) << 2, 19 * 1024) ^ load<u32>(((d >> 8) & 255) << 2, 18 * 1024) ^
      load<u32>(((d >> 16) & 255) << 2, 17 * 1024) ^ load<u32>((d >> 24) << 2, 16 * 1024) ^
      ((load<u32>((a & 255) << 2, 31 * 1024) ^ load<u32>(((a >> 8) & 255) << 2, 30 * 1024)) ^
        (load<u32>(((a >> 16) & 255) << 2, 29 * 1024) ^ load<u32>((a >> 24) << 2, 28 * 1024)));
    at += 16;
  }
  while (at < end) {
    register = load<u32>(((register ^ load<u8>(at)) & 255) << 2, 16 * 1024) ^ (register >> 8);
    at += 1;
  }
  return register;
}

@inline
function sum6(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128): v128 {
  return v128.xor(v128.xor(v128.xor(a, b), v128.xor(c, d)), v128.xor(e, f));
}

/**
 * Cancels all of the input but its last t5 bytes (up to 63 more), and returns how many bytes at
 * `target` have the same checksum. The t5 bytes before `at` are zero. Distances are in bytes.
 */
@inline
function fold(
  at: usize,
  bytes: usize,
  target: usize,
  t1: usize,
  t2: usize,
  t3: usize,
  t4: usize,
  t5: usize,
): usize {
  const end = at + bytes;
  const cancelEnd = at + ((bytes - t5) & ~63);
  for (; at < cancelEnd; at += 64) {
    const p1 = at - t1;
    const p2 = at - t2;
    const p3 = at - t3;
    const p4 = at - t4;
    const p5 = at - t5;
    const a = sum6(
      v128.load(at),
      v128.load(p1),
      v128.load(p2),
      v128.load(p3),
      v128.load(p4),
      v128.load(p5),
    );
    const b = sum6(
      v128.load(at, 16),
      v128.load(p1, 16),
      v128.load(p2, 16),
      v128.load(p3, 16),
      v128.load(p4, 16),
      v128.load(p5, 16),
    );
    const c = sum6(
      v128.load(at, 32),
      v128.load(p1, 32),
      v128.load(p2, 32),
      v128.load(p3, 32),
      v128.load(p4, 32),
      v128.load(p5, 32),
    );
    const d = sum6(
      v128.load(at, 48),
      v128.load(p1, 48),
      v128.load(p2, 48),
      v128.load(p3, 48),
      v128.load(p4, 48),
      v128.load(p5, 48),
    );
    v128.store(at, a);
    v128.store(at, b, 16);
    v128.store(at, c, 32);
    v128.store(at, d, 48);
  }
  // Only cancelled values are added to what remains: it moves away and leaves zeros.
  const rest = end - at;
  memory.copy(target, at, rest);
  memory.fill(at, 0, rest);
  for (let i: usize = 0; i < rest; i += 16)
    v128.store(
      target + i,
      sum6(
        v128.load(target + i),
        v128.load(at + i - t1),
        v128.load(at + i - t2),
        v128.load(at + i - t3),
        v128.load(at + i - t4),
        v128.load(at + i - t5),
      ),
    );
  return rest;
}

const firstRest: usize = 66 * 1024;
const secondRest: usize = 71 * 1024;
const input: usize = 78 * 1024;

/** From how many bytes on each folding costs less than it saves. */
const longBytesMin: usize = 8 * 1024;
const mediumBytesMin: usize = 1536;

/** Folds the input, at least mediumBytesMin long, and returns how much is at secondRest then. */
@inline
function foldInput(
  register: u32,
  bytes: usize,
  t1: usize,
  t2: usize,
  t3: usize,
  t4: usize,
  t5: usize,
): usize {
  // A register is the same as its four bytes added to the next four of the input.
  store<u32>(input, load<u32>(input) ^ register);
  let at = input;
  let rest = bytes;
  if (rest >= longBytesMin) {
    rest = fold(at, rest, firstRest, 16 * t1, 16 * t2, 16 * t3, 16 * t4, 16 * t5);
    at = firstRest;
  }
  return fold(at, rest, secondRest, 4 * t1, 4 * t2, 4 * t3, 4 * t4, 4 * t5);
}

/** Advances a register of polynomial 0x1edc6f41 by the first bytes of the input. */
export function crc32c(register: u32, bytes: usize): u32 {
  if (bytes < mediumBytesMin) return slice32c(register, input, bytes);
  return slice32c(0, secondRest, foldInput(register, bytes, 65, 155, 170, 195, 209));
}

/** Advances a register of polynomial 0x04c11db7 by the first bytes of the input. */
export function crc32(register: u32, bytes: usize): u32 {
  if (bytes < mediumBytesMin) return slice32(register, input, bytes);
  return slice32(0, secondRest, foldInput(register, bytes, 181, 199, 255, 263, 274));
}

/** Advances a register of polynomial 0xad93d23594c93659 by the first bytes of the input. */
export function crc64(register: u64, bytes: usize): u64 {
  let at = input;
  const end = at + bytes;
  const blockEnd = at + (bytes & ~15);
  while (at < blockEnd) {
    const a = load<u64>(at) ^ register;
    const b = load<u64>(at, 8);
    register =
      load<u64>(<usize>(b & 255) << 3, 46 * 1024) ^ load<u64>(<usize>((b >> 8) & 255) << 3, 44 * 1024) ^
      load<u64>(<usize>((b >> 16) & 255) << 3, 42 * 1024) ^ load<u64>(<usize>((b >> 24) & 255) << 3, 40 * 1024) ^
      load<u64>(<usize>((b >> 32) & 255) << 3, 38 * 1024) ^ load<u64>(<usize>((b >> 40) & 255) << 3, 36 * 1024) ^
      load<u64>(<usize>((b >> 48) & 255) << 3, 34 * 1024) ^ load<u64>(<usize>(b >> 56) << 3, 32 * 1024) ^
      (((load<u64>(<usize>(a & 255) << 3, 62 * 1024) ^ load<u64>(<usize>((a >> 8) & 255) << 3, 60 * 1024)) ^
        (load<u64>(<usize>((a >> 16) & 255) << 3, 58 * 1024) ^ load<u64>(<usize>((a >> 24) & 255) << 3, 56 * 1024))) ^
        ((load<u64>(<usize>((a >> 32) & 255) << 3, 54 * 1024) ^ load<u64>(<usize>((a >> 40) & 255) << 3, 52 * 1024)) ^
        (load<u64>(<usize>((a >> 48) & 255) << 3, 50 * 1024) ^ load<u64>(<usize>(a >> 56) << 3, 48 * 1024))));
    at += 16;
  }
  while (at < end) {
    const index = <usize>((register ^ <u64>load<u8>(at)) & 255);
    register = load<u64>(index << 3, 32 * 1024) ^ (register >> 8);
    at += 1;
  }
  return register;
}
