// Reed-Solomon over GF(2^8) with polynomial 0x11d, on 128-bit vectors: codec `rs-pow2-11d-v1`
// (docs/formats/erasure.md; why it is done so: docs/decisions/0003-erasure-codec.md).
//
// The memory is laid out by src/erasure/kernel.ts: a shard's block is a slot, data slots follow
// each other `stride` bytes apart, and so do parity slots. Kernels work on 32 or 64 bytes at a
// time and round the length up to that; the slack between slots takes the overrun.
//
// A row set is a bit mask of parity rows; row i is the polynomial of the data bytes at 2^i, so
// one Horner step multiplies by 2^i and adds the next data byte. Each mask is a kernel of its own:
// with the mask a constant, everything about the rows it does not have folds away.

/** Doubles sixteen elements of the field: shift left, and where a bit fell out, add the polynomial. */
@inline
function double(x: v128): v128 {
  return v128.xor(
    i8x16.add(x, x),
    v128.and(i8x16.lt_s(x, i8x16.splat(0)), i8x16.splat(0x1d)),
  );
}

/** One Horner step of row `row` (a constant). */
@inline
function step(sum: v128, data: v128, row: i32): v128 {
  if (row == 1) return v128.xor(double(sum), data);
  if (row == 2) return v128.xor(double(double(sum)), data);
  if (row == 3) return v128.xor(double(double(double(sum))), data);
  return v128.xor(sum, data);
}

/** Multiplies by the constant whose products with all low and all high nibbles are given. */
@inline
function products(x: v128, low: v128, high: v128): v128 {
  return v128.xor(
    i8x16.swizzle(low, v128.and(x, i8x16.splat(0x0f))),
    i8x16.swizzle(high, v128.and(i16x8.shr_u(x, 4), i8x16.splat(0x0f))),
  );
}

/** Parity row 0 only: the XOR of the data, 64 bytes at a time. */
@inline
function encodeXor(data: usize, parity: usize, k: i32, stride: usize, bytes: usize): void {
  const last = <usize>(k - 1) * stride;
  for (let at: usize = 0; at < bytes; at += 64) {
    let chunk = data + at;
    const end = chunk + last;
    let a0 = v128.load(chunk);
    let a1 = v128.load(chunk, 16);
    let a2 = v128.load(chunk, 32);
    let a3 = v128.load(chunk, 48);
    while (chunk < end) {
      chunk += stride;
      a0 = v128.xor(a0, v128.load(chunk));
      a1 = v128.xor(a1, v128.load(chunk, 16));
      a2 = v128.xor(a2, v128.load(chunk, 32));
      a3 = v128.xor(a3, v128.load(chunk, 48));
    }
    v128.store(parity + at, a0);
    v128.store(parity + at, a1, 16);
    v128.store(parity + at, a2, 32);
    v128.store(parity + at, a3, 48);
  }
}

/** The parity rows of `mask` (a constant), 32 bytes at a time; row i goes to parity slot i. */
@inline
function encodeRows(
  mask: i32,
  data: usize,
  parity: usize,
  k: i32,
  stride: usize,
  bytes: usize,
): void {
  const last = <usize>(k - 1) * stride;
  for (let at: usize = 0; at < bytes; at += 32) {
    const end = data + at;
    let chunk = end + last;
    let x = v128.load(chunk);
    let y = v128.load(chunk, 16);
    let a0 = x, a1 = y, b0 = x, b1 = y, c0 = x, c1 = y, d0 = x, d1 = y;
    while (chunk > end) {
      chunk -= stride;
      x = v128.load(chunk);
      y = v128.load(chunk, 16);
      if (mask & 1) {
        a0 = step(a0, x, 0);
        a1 = step(a1, y, 0);
      }
      if (mask & 2) {
        b0 = step(b0, x, 1);
        b1 = step(b1, y, 1);
      }
      if (mask & 4) {
        c0 = step(c0, x, 2);
        c1 = step(c1, y, 2);
      }
      if (mask & 8) {
        d0 = step(d0, x, 3);
        d1 = step(d1, y, 3);
      }
    }
    let target = parity + at;
    if (mask & 1) {
      v128.store(target, a0);
      v128.store(target, a1, 16);
    }
    target += stride;
    if (mask & 2) {
      v128.store(target, b0);
      v128.store(target, b1, 16);
    }
    target += stride;
    if (mask & 4) {
      v128.store(target, c0);
      v128.store(target, c1, 16);
    }
    target += stride;
    if (mask & 8) {
      v128.store(target, d0);
      v128.store(target, d1, 16);
    }
  }
}

/** Two fused rows 0 and 1, 64 bytes at a time: the common geometries have m = 2. */
@inline
function encodeTwo(data: usize, parity: usize, k: i32, stride: usize, bytes: usize): void {
  const last = <usize>(k - 1) * stride;
  for (let at: usize = 0; at < bytes; at += 64) {
    const end = data + at;
    let chunk = end + last;
    let x0 = v128.load(chunk);
    let x1 = v128.load(chunk, 16);
    let x2 = v128.load(chunk, 32);
    let x3 = v128.load(chunk, 48);
    let a0 = x0, a1 = x1, a2 = x2, a3 = x3, b0 = x0, b1 = x1, b2 = x2, b3 = x3;
    while (chunk > end) {
      chunk -= stride;
      x0 = v128.load(chunk);
      x1 = v128.load(chunk, 16);
      x2 = v128.load(chunk, 32);
      x3 = v128.load(chunk, 48);
      a0 = v128.xor(a0, x0);
      a1 = v128.xor(a1, x1);
      a2 = v128.xor(a2, x2);
      a3 = v128.xor(a3, x3);
      b0 = step(b0, x0, 1);
      b1 = step(b1, x1, 1);
      b2 = step(b2, x2, 1);
      b3 = step(b3, x3, 1);
    }
    let target = parity + at;
    v128.store(target, a0);
    v128.store(target, a1, 16);
    v128.store(target, a2, 32);
    v128.store(target, a3, 48);
    target += stride;
    v128.store(target, b0);
    v128.store(target, b1, 16);
    v128.store(target, b2, 32);
    v128.store(target, b3, 48);
  }
}

/** Writes the parity rows of `mask` (1 to 15) of k data slots to their parity slots. */
export function encode(
  mask: i32,
  data: usize,
  parity: usize,
  k: i32,
  stride: usize,
  bytes: usize,
): void {
  switch (mask) {
    case 1: return encodeXor(data, parity, k, stride, bytes);
    case 2: return encodeRows(2, data, parity, k, stride, bytes);
    case 3: return encodeTwo(data, parity, k, stride, bytes);
    case 4: return encodeRows(4, data, parity, k, stride, bytes);
    case 5: return encodeRows(5, data, parity, k, stride, bytes);
    case 6: return encodeRows(6, data, parity, k, stride, bytes);
    case 7: return encodeRows(7, data, parity, k, stride, bytes);
    case 8: return encodeRows(8, data, parity, k, stride, bytes);
    case 9: return encodeRows(9, data, parity, k, stride, bytes);
    case 10: return encodeRows(10, data, parity, k, stride, bytes);
    case 11: return encodeRows(11, data, parity, k, stride, bytes);
    case 12: return encodeRows(12, data, parity, k, stride, bytes);
    case 13: return encodeRows(13, data, parity, k, stride, bytes);
    case 14: return encodeRows(14, data, parity, k, stride, bytes);
    case 15: return encodeRows(15, data, parity, k, stride, bytes);
  }
}

/** Adds the products of sixteen bytes with the constant of `table` to a sum. */
@inline
function product(s: v128, sum: v128, table: usize): v128 {
  return v128.xor(sum, products(s, v128.load(table), v128.load(table, 16)));
}

/**
 * Finds lost data chunks from the parity rows of `mask` (a constant), as many as it has rows.
 *
 * The data slots of lost chunks must be zero. The Horner sum of the data plus the parity read is
 * the row's syndrome: the parity that the lost chunks alone would have. Lost chunk r is the sum
 * over the columns c of syndrome c times the constant of table `r * count + c` (the inverse of the
 * rows' submatrix). Syndrome 0 is the plain sum of the lost chunks, so with row 0 in the mask the
 * last chunk needs no products. (Row 0 alone, and rows 0 and 1, have kernels of their own.)
 */
@inline
function solveRows(
  mask: i32,
  data: usize,
  parity: usize,
  k: i32,
  stride: usize,
  bytes: usize,
  tables: usize,
  out0: usize,
  out1: usize,
  out2: usize,
  out3: usize,
): void {
  const count = (mask & 1) + ((mask >> 1) & 1) + ((mask >> 2) & 1) + ((mask >> 3) & 1);
  const rows = count - (mask & 1);
  const columnB = mask & 1;
  const columnC = columnB + ((mask >> 1) & 1);
  const columnD = columnC + ((mask >> 2) & 1);
  const rowBytes = count * 32;
  const zero = i8x16.splat(0);
  const last = <usize>(k - 1) * stride;
  for (let at: usize = 0; at < bytes; at += 32) {
    const end = data + at;
    let chunk = end + last;
    let x = v128.load(chunk);
    let y = v128.load(chunk, 16);
    let a0 = x, a1 = y, b0 = x, b1 = y, c0 = x, c1 = y, d0 = x, d1 = y;
    while (chunk > end) {
      chunk -= stride;
      x = v128.load(chunk);
      y = v128.load(chunk, 16);
      if (mask & 1) {
        a0 = step(a0, x, 0);
        a1 = step(a1, y, 0);
      }
      if (mask & 2) {
        b0 = step(b0, x, 1);
        b1 = step(b1, y, 1);
      }
      if (mask & 4) {
        c0 = step(c0, x, 2);
        c1 = step(c1, y, 2);
      }
      if (mask & 8) {
        d0 = step(d0, x, 3);
        d1 = step(d1, y, 3);
      }
    }
    let p0 = zero, p1 = zero, q0 = zero, q1 = zero, r0 = zero, r1 = zero, s0 = zero, s1 = zero;
    let source = parity + at;
    if (mask & 1) {
      a0 = v128.xor(a0, v128.load(source));
      a1 = v128.xor(a1, v128.load(source, 16));
      if (rows > 0) {
        p0 = product(a0, p0, tables);
        p1 = product(a1, p1, tables);
      }
      if (rows > 1) {
        q0 = product(a0, q0, tables + rowBytes);
        q1 = product(a1, q1, tables + rowBytes);
      }
      if (rows > 2) {
        r0 = product(a0, r0, tables + 2 * rowBytes);
        r1 = product(a1, r1, tables + 2 * rowBytes);
      }
      if (rows > 3) {
        s0 = product(a0, s0, tables + 3 * rowBytes);
        s1 = product(a1, s1, tables + 3 * rowBytes);
      }
    }
    source += stride;
    if (mask & 2) {
      b0 = v128.xor(b0, v128.load(source));
      b1 = v128.xor(b1, v128.load(source, 16));
      const column = tables + 32 * columnB;
      if (rows > 0) {
        p0 = product(b0, p0, column);
        p1 = product(b1, p1, column);
      }
      if (rows > 1) {
        q0 = product(b0, q0, column + rowBytes);
        q1 = product(b1, q1, column + rowBytes);
      }
      if (rows > 2) {
        r0 = product(b0, r0, column + 2 * rowBytes);
        r1 = product(b1, r1, column + 2 * rowBytes);
      }
      if (rows > 3) {
        s0 = product(b0, s0, column + 3 * rowBytes);
        s1 = product(b1, s1, column + 3 * rowBytes);
      }
    }
    source += stride;
    if (mask & 4) {
      c0 = v128.xor(c0, v128.load(source));
      c1 = v128.xor(c1, v128.load(source, 16));
      const column = tables + 32 * columnC;
      if (rows > 0) {
        p0 = product(c0, p0, column);
        p1 = product(c1, p1, column);
      }
      if (rows > 1) {
        q0 = product(c0, q0, column + rowBytes);
        q1 = product(c1, q1, column + rowBytes);
      }
      if (rows > 2) {
        r0 = product(c0, r0, column + 2 * rowBytes);
        r1 = product(c1, r1, column + 2 * rowBytes);
      }
      if (rows > 3) {
        s0 = product(c0, s0, column + 3 * rowBytes);
        s1 = product(c1, s1, column + 3 * rowBytes);
      }
    }
    source += stride;
    if (mask & 8) {
      d0 = v128.xor(d0, v128.load(source));
      d1 = v128.xor(d1, v128.load(source, 16));
      const column = tables + 32 * columnD;
      if (rows > 0) {
        p0 = product(d0, p0, column);
        p1 = product(d1, p1, column);
      }
      if (rows > 1) {
        q0 = product(d0, q0, column + rowBytes);
        q1 = product(d1, q1, column + rowBytes);
      }
      if (rows > 2) {
        r0 = product(d0, r0, column + 2 * rowBytes);
        r1 = product(d1, r1, column + 2 * rowBytes);
      }
      if (rows > 3) {
        s0 = product(d0, s0, column + 3 * rowBytes);
        s1 = product(d1, s1, column + 3 * rowBytes);
      }
    }
    if (mask & 1) {
      a0 = v128.xor(v128.xor(a0, p0), v128.xor(q0, r0));
      a1 = v128.xor(v128.xor(a1, p1), v128.xor(q1, r1));
      if (count == 2) {
        q0 = a0;
        q1 = a1;
      }
      if (count == 3) {
        r0 = a0;
        r1 = a1;
      }
      if (count == 4) {
        s0 = a0;
        s1 = a1;
      }
    }
    v128.store(out0 + at, p0);
    v128.store(out0 + at, p1, 16);
    if (count > 1) {
      v128.store(out1 + at, q0);
      v128.store(out1 + at, q1, 16);
    }
    if (count > 2) {
      v128.store(out2 + at, r0);
      v128.store(out2 + at, r1, 16);
    }
    if (count > 3) {
      v128.store(out3 + at, s0);
      v128.store(out3 + at, s1, 16);
    }
  }
}

/**
 * Rows 0 and 1, the usual two: 64 bytes at a time, and one product instead of four. The sum s of
 * the lost chunks a < b comes first; put in place of chunk a (and zero for b), it makes the row-1
 * sum t = (2^a + 2^b) * chunk b. Table 0 has the inverse of that factor.
 */
@inline
function solveTwo(
  data: usize,
  parity: usize,
  k: i32,
  stride: usize,
  bytes: usize,
  tables: usize,
  outA: usize,
  outB: usize,
): void {
  const last = <usize>(k - 1) * stride;
  const low = v128.load(tables);
  const high = v128.load(tables, 16);
  for (let at: usize = 0; at < bytes; at += 64) {
    const first = data + at;
    const chunkA = outA + at;
    const p = parity + at;
    const q = p + stride;
    let s0 = v128.load(p);
    let s1 = v128.load(p, 16);
    let s2 = v128.load(p, 32);
    let s3 = v128.load(p, 48);
    for (let chunk = first; chunk < chunkA; chunk += stride) {
      s0 = v128.xor(s0, v128.load(chunk));
      s1 = v128.xor(s1, v128.load(chunk, 16));
      s2 = v128.xor(s2, v128.load(chunk, 32));
      s3 = v128.xor(s3, v128.load(chunk, 48));
    }
    let chunk = first + last;
    let t0 = v128.load(chunk);
    let t1 = v128.load(chunk, 16);
    let t2 = v128.load(chunk, 32);
    let t3 = v128.load(chunk, 48);
    s0 = v128.xor(s0, t0);
    s1 = v128.xor(s1, t1);
    s2 = v128.xor(s2, t2);
    s3 = v128.xor(s3, t3);
    for (chunk -= stride; chunk > chunkA; chunk -= stride) {
      const x0 = v128.load(chunk);
      const x1 = v128.load(chunk, 16);
      const x2 = v128.load(chunk, 32);
      const x3 = v128.load(chunk, 48);
      s0 = v128.xor(s0, x0);
      s1 = v128.xor(s1, x1);
      s2 = v128.xor(s2, x2);
      s3 = v128.xor(s3, x3);
      t0 = step(t0, x0, 1);
      t1 = step(t1, x1, 1);
      t2 = step(t2, x2, 1);
      t3 = step(t3, x3, 1);
    }
    t0 = step(t0, s0, 1);
    t1 = step(t1, s1, 1);
    t2 = step(t2, s2, 1);
    t3 = step(t3, s3, 1);
    while (chunk > first) {
      chunk -= stride;
      t0 = step(t0, v128.load(chunk), 1);
      t1 = step(t1, v128.load(chunk, 16), 1);
      t2 = step(t2, v128.load(chunk, 32), 1);
      t3 = step(t3, v128.load(chunk, 48), 1);
    }
    t0 = products(v128.xor(t0, v128.load(q)), low, high);
    t1 = products(v128.xor(t1, v128.load(q, 16)), low, high);
    t2 = products(v128.xor(t2, v128.load(q, 32)), low, high);
    t3 = products(v128.xor(t3, v128.load(q, 48)), low, high);
    v128.store(chunkA, v128.xor(s0, t0));
    v128.store(chunkA, v128.xor(s1, t1), 16);
    v128.store(chunkA, v128.xor(s2, t2), 32);
    v128.store(chunkA, v128.xor(s3, t3), 48);
    v128.store(outB + at, t0);
    v128.store(outB + at, t1, 16);
    v128.store(outB + at, t2, 32);
    v128.store(outB + at, t3, 48);
  }
}

/**
 * Writes the lost data chunks to out0, out1, ... (their own slots); `mask` is 1 to 15. With row 0
 * alone, the slot of the lost chunk holds parity 0 instead of zeros: all is one XOR. With rows 0
 * and 1, only the second slot need be zero, and the only table is that of solveTwo.
 */
export function solve(
  mask: i32,
  data: usize,
  parity: usize,
  k: i32,
  stride: usize,
  bytes: usize,
  tables: usize,
  out0: usize,
  out1: usize,
  out2: usize,
  out3: usize,
): void {
  switch (mask) {
    case 1: return encodeXor(data, out0, k, stride, bytes);
    case 2: return solveRows(2, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 3: return solveTwo(data, parity, k, stride, bytes, tables, out0, out1);
    case 4: return solveRows(4, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 5: return solveRows(5, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 6: return solveRows(6, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 7: return solveRows(7, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 8: return solveRows(8, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 9: return solveRows(9, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 10: return solveRows(10, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 11: return solveRows(11, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 12: return solveRows(12, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 13: return solveRows(13, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 14: return solveRows(14, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
    case 15: return solveRows(15, data, parity, k, stride, bytes, tables, out0, out1, out2, out3);
  }
}
