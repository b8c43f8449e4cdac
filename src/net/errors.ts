/**
 * - `closed`: the session ended before the answer came; the peer may have done what was asked.
 * - `deadline`: no answer in time; the peer may still do what was asked.
 * - `refused`: the peer, or nobody, accepted the connection: wrong cluster, uuid, key or version.
 */
export type NetErrorCode = 'closed' | 'deadline' | 'refused';

export class NetError extends Error {
  override readonly name = 'NetError';
  readonly code: NetErrorCode;

  constructor(code: NetErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.code = code;
  }
}
