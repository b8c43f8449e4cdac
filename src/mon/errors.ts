/** A command of the operator that can't be done, with the words to show. */
export class MonError extends Error {
  override readonly name = 'MonError';
  readonly code: 'not-found' | 'refused' | 'invalid';

  constructor(code: MonError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
