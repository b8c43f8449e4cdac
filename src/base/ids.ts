// Identities. Each is branded, so that one can't be taken for another or for a measurement.

import { brandedText, type Codec, sharedText, struct, u64, uint } from './codec.ts';

/** 16 random bytes as 32 lower-case hexadecimal digits. */
export type Uuid = string & { readonly brand: 'Uuid' };
export type OsdId = number & { readonly brand: 'OsdId' };
export type PoolId = number & { readonly brand: 'PoolId' };
/** `pool.layout.index`, each decimal. */
export type PgId = string & { readonly brand: 'PgId' };
export type Epoch = number & { readonly brand: 'Epoch' };

export function isUuid(value: string): value is Uuid {
  return /^[0-9a-f]{32}$/.test(value);
}

export function isPgId(value: string): value is PgId {
  return /^\d{1,9}\.\d{1,9}\.\d{1,9}$/.test(value);
}

export function formatPgId(pool: PoolId, layout: number, index: number): PgId {
  return `${pool}.${layout}.${index}` as PgId;
}

export function parsePgId(pg: PgId): {
  readonly pool: PoolId;
  readonly layout: number;
  readonly index: number;
} {
  const first = pg.indexOf('.');
  const second = pg.indexOf('.', first + 1);
  return {
    pool: Number(pg.slice(0, first)) as PoolId,
    layout: Number(pg.slice(first + 1, second)),
    index: Number(pg.slice(second + 1)),
  };
}

/** By pool, layout and index, as numbers. */
export function comparePgIds(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (const [at, number] of left.entries()) {
    const difference = number - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Names an immutable run of bytes for ever. `incarnation` is leased to one writer by the monitors
 * and never given again; the writer counts `counter` up, so no id is used twice.
 */
export interface BlobId {
  readonly incarnation: number;
  readonly counter: number;
}

export function formatBlobId(blob: BlobId): string {
  return `${blob.incarnation.toString(16)}.${blob.counter.toString(16)}`;
}

// Both come again and again, in messages and rows, and are kept in thousands of places.
export const uuid: Codec<Uuid> = sharedText(brandedText('uuid', isUuid));
export const pgId: Codec<PgId> = sharedText(brandedText('placement group id', isPgId));
export const osdId = uint as Codec<number> as Codec<OsdId>;
export const poolId = uint as Codec<number> as Codec<PoolId>;
export const epoch = uint as Codec<number> as Codec<Epoch>;
export const blobId: Codec<BlobId> = struct({ incarnation: u64, counter: u64 });
