/**
 * Why the cluster did not do what was asked.
 *
 * - `unavailable`: the PG could not serve in time; `detail` names the PG and the reason. For a write the
 *   outcome may be unknown: it may still happen, exactly once.
 * - `no-space`: the disks that would hold the data are full; nothing was written.
 * - `no-such-blob`: the leased primary of the blob's PG says it does not exist.
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
  | 'no-such-pool'
  | 'too-large'
  | 'bad-request'
  | 'damaged'
  | 'superseded';

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly detail: string;

  constructor(code: ClientErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }
}
