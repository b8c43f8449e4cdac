// The CRC of a concatenation from the CRCs of its parts: crc(A‖B) = crc(A) · x^(8·|B|) + crc(B), in the
// field of polynomials modulo the CRC's own. Reflected CRCs keep x^0 in the highest bit.

export interface CrcPolynomial {
  readonly bits: 32 | 64;
  /** Reflected, without the leading term. */
  readonly reflected: bigint;
}

export const crc32Polynomial: CrcPolynomial = { bits: 32, reflected: 0xedb88320n };
export const crc32cPolynomial: CrcPolynomial = { bits: 32, reflected: 0x82f63b78n };
export const crc64nvmePolynomial: CrcPolynomial = { bits: 64, reflected: 0x9a6c9329ac4bc9b5n };

/** a · b modulo the polynomial. */
function multiply(a: bigint, b: bigint, polynomial: CrcPolynomial): bigint {
  let product = 0n;
  let shifted = a;
  for (let bit = BigInt(polynomial.bits - 1); bit >= 0n; bit--) {
    if ((b >> bit) & 1n) product ^= shifted;
    shifted = shifted & 1n ? (shifted >> 1n) ^ polynomial.reflected : shifted >> 1n;
  }
  return product;
}

/** x^(8·bytes) modulo the polynomial. */
function computeShift(bytes: number, polynomial: CrcPolynomial): bigint {
  const one = 1n << BigInt(polynomial.bits - 1);
  let result = one;
  let power = one >> 8n;
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = multiply(result, power, polynomial);
    power = multiply(power, power, polynomial);
  }
  return result;
}

/** Joins parts in order. Parts of an upload have few different sizes, so shifts are remembered. */
export class CrcCombiner {
  readonly #polynomial: CrcPolynomial;
  readonly #shifts = new Map<number, bigint>();
  #crc = 0n;

  constructor(polynomial: CrcPolynomial) {
    this.#polynomial = polynomial;
  }

  append(crc: bigint, bytes: number): void {
    let shift = this.#shifts.get(bytes);
    if (shift === undefined) {
      shift = computeShift(bytes, this.#polynomial);
      if (this.#shifts.size < 1000) this.#shifts.set(bytes, shift);
    }
    this.#crc = multiply(this.#crc, shift, this.#polynomial) ^ crc;
  }

  get crc(): bigint {
    return this.#crc;
  }
}
