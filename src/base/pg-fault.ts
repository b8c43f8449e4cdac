import type { PgId } from './ids.ts';

/** A defect met in the work of one placement group: whoever reports it can say which, and leave that one out. */
export class PgFault extends Error {
  override readonly name = 'PgFault';
  readonly pg: PgId;

  constructor(pg: PgId, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.pg = pg;
  }
}
