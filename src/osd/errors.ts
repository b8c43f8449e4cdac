import type { FailureCode } from '../wire/messages.ts';

/** Why an OSD did not do what it was asked; the code travels to the asker (see `failureCodes`). */
export class OsdError extends Error {
  override readonly name = 'OsdError';
  readonly code: FailureCode;
  readonly detail: string;

  constructor(code: FailureCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }
}
