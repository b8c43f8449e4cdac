/**
 * How a command ends.
 *
 * - 0: done.
 * - 1: it failed.
 * - 2: it was written wrongly: a flag, a value, a combination.
 * - 3: it was refused because it would endanger data or its availability.
 */
export type ExitCode = 0 | 1 | 2 | 3;

/** What a person is told before the program ends. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
