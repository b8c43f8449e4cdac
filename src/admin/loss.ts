// Whoever orders what loses data must name the loss: the digest of the list that was shown. It is void when
// the list that would be lost now is another one, so that no script can say yes in advance (promise P3).

import { createHash } from 'node:crypto';
import { AdminError } from './errors.ts';

/** What `--accept-loss` takes for exactly this list. */
export function lossToken(what: string, losses: readonly string[]): string {
  const hash = createHash('sha256').update(what);
  for (const line of losses) hash.update('\n').update(line);
  return hash.digest('hex').slice(0, 12);
}

/** Throws `unsafe`, with the list and its token, unless the operator named exactly this loss. */
export function requireAccepted(
  what: string,
  losses: readonly string[],
  accepted: string | undefined,
  advice: readonly string[] = [],
): void {
  if (losses.length === 0) return;
  const token = lossToken(what, losses);
  if (accepted === token) return;
  const void_ = accepted === undefined ? '' : ` (--accept-loss ${accepted} was for another list)`;
  throw new AdminError(
    'unsafe',
    [
      `${what} would lose, or can't be proven not to${void_}:`,
      ...losses,
      ...advice.map((each) => `The safe way: ${each}`),
      `To lose exactly this: --accept-loss ${token}`,
    ].join('\n'),
  );
}
