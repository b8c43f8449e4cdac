// What sockets answer, as the environment's errors.

import { EnvError, type EnvErrorCode } from '../env/errors.ts';
import { systemCode } from './system-errors.ts';

const codes: Readonly<Record<string, EnvErrorCode>> = {
  ECONNREFUSED: 'refused',
  EADDRINUSE: 'address-in-use',
  EACCES: 'denied',
  EPERM: 'denied',
};

/** `unreachable` for everything that has no code of its own. */
export function asSocketError(operation: string, error: unknown): EnvError {
  const words = error instanceof Error ? error.message : String(error);
  const code = codes[systemCode(firstOf(error)) ?? ''] ?? 'unreachable';
  return new EnvError(code, `${operation}: ${words}`, { cause: error });
}

/** A name with several addresses fails with all their errors together. */
function firstOf(error: unknown): unknown {
  return error instanceof AggregateError ? error.errors[0] : error;
}
