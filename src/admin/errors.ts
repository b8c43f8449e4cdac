import type { AdminErrorCode } from './views.ts';

/** A request of the operator that is answered with no; codes are explained beside `AdminErrorCode`. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  readonly code: AdminErrorCode;

  constructor(code: AdminErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const httpStatusOf: Readonly<Record<AdminErrorCode, number>> = {
  invalid: 400,
  unauthorized: 401,
  'not-found': 404,
  refused: 409,
  unsafe: 409,
  unavailable: 503,
};

/** The monitor's refusals carry these codes; anything else is a defect and goes on being thrown. */
export function asAdminError(error: unknown): AdminError {
  if (error instanceof AdminError) return error;
  if (error instanceof Error && 'code' in error)
    switch (error.code) {
      case 'not-found':
      case 'refused':
      case 'invalid':
      case 'unavailable':
        return new AdminError(error.code, error.message);
    }
  throw error;
}
