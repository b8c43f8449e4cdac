/** Thrown when the program itself is wrong. Never used for data read from disk or network. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Stops on a state that only our own mistake can produce; stays on in production. */
export function assert(condition: boolean, statement: string): asserts condition {
  if (!condition) throw new AssertionError(`assertion failed: ${statement}`);
}

/** Marks the branch an exhaustive switch can never take. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
