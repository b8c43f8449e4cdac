// The system's errors as the environment's.

import { EnvError, type EnvErrorCode } from '../env/errors.ts';

const codes: Readonly<Record<string, EnvErrorCode>> = {
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
};

export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** `io` for everything that has no code of its own. */
export function asEnvError(operation: string, error: unknown): EnvError {
  if (error instanceof EnvError) return error;
  const code = codes[systemCode(error) ?? ''] ?? 'io';
  const words = error instanceof Error ? error.message : String(error);
  return new EnvError(code, `${operation}: ${words}`, { cause: error });
}
