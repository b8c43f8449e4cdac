export interface Random {
  /** A whole number in [0, bound), bound from 1 to 2^32. */
  below(bound: number): number;
}

/** Unpredictable bytes: the only source of keys and tokens. `Random` never makes one. */
export interface Secrets {
  bytes(count: number): Uint8Array;
}
