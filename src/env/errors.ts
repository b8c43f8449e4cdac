/**
 * What the world may answer.
 *
 * - `corrupt`: stored bytes can't be read as what they should be.
 * - `no-space`: the file system is full.
 * - `io`: the device failed; `detail` has the system's words.
 * - `refused`: nobody listens at that address.
 * - `unreachable`: the address did not answer, or the name is unknown.
 * - `address-in-use`: somebody else listens there.
 * - `too-large`: a file is longer than the reader allows.
 * - `denied`: the system's permissions forbid it.
 */
export type EnvErrorCode =
  | 'corrupt'
  | 'no-space'
  | 'io'
  | 'refused'
  | 'unreachable'
  | 'address-in-use'
  | 'too-large'
  | 'denied';

export class EnvError extends Error {
  override readonly name = 'EnvError';
  readonly code: EnvErrorCode;

  constructor(code: EnvErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.code = code;
  }
}
