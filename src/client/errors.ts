import type { PgLoss } from '../map/cluster-map.ts';

/**
 * Why the cluster did not do what was asked.
 *
 * - `unavailable`: the PG could not serve in time; `detail` names the PG and the reason. For a write the
 *   outcome may be unknown: it may still happen, exactly once.
 * - `no-space`: the disks that would hold the data are full; nothing was written.
 * - `no-such-blob`: the leased primary of the blob's PG says it does not exist.
 * - `lost`: it does not exist, and its PG lost data: the operator accepted that it is gone; `loss` says when and who.
 * - `no-such-pool`: no pool has that name.
 * - `too-large`: arguments, effects or a result over the limits of a method call.
 * - `bad-request`: the primary does not know the method, or it threw; `detail` has the words.
 * - `damaged`: too few shards of the blob can be verified.
 * - `superseded`: the blob's layout takes no blobs, or none soon enough, and the pool has another active one: put
 *   the bytes there, under another id. Under this one they may be stored all the same.
 */
export type ClientErrorCode =
  | 'unavailable'
  | 'no-space'
  | 'no-such-blob'
  | 'lost'
  | 'no-such-pool'
  | 'too-large'
  | 'bad-request'
  | 'damaged'
  | 'superseded';

/** The blob is not there: it was deleted, or lost. */
export function isBlobGone(error: unknown): boolean {
  return error instanceof ClientError && (error.code === 'no-such-blob' || error.code === 'lost');
}

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly detail: string;
  /** Of `lost`: when, and who accepted it. */
  readonly loss: PgLoss | undefined;

  constructor(
    code: ClientErrorCode,
    detail: string,
    options: { readonly cause?: unknown; readonly loss?: PgLoss } = {},
  ) {
    super(`${code}: ${detail}`, options.cause === undefined ? {} : { cause: options.cause });
    this.loss = options.loss;
    this.code = code;
    this.detail = detail;
  }
}
