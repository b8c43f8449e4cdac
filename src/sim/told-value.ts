// Something that is changed at one gateway and acted on at all, each of which hears of it by and by: what a gateway may
// go by at a moment. A change whose outcome is unknown may be in force or not, until a later one is acknowledged.

import { rememberedMsMax } from '../s3/index/index-client.ts';

/** Clocks differ by half a percent; what is remembered counts from before the look. */
export const heardMsMax = rememberedMsMax * 1.01 + 1;

/**
 * Whether a gateway that was asked then must act on a change of a bucket: at once where it was acknowledged, by any
 * other once what it remembers of the bucket is too old.
 */
export function heardOfBucket(
  gateway: string,
  calledAt: number,
): (acknowledged: Acknowledged) => boolean {
  return (made) => calledAt >= (made.gateway === gateway ? made.at : made.at + heardMsMax);
}

/** The same of a change of the directory, by the revision that the gateway had. */
export function heardOfDirectory(revision: number): (acknowledged: Acknowledged) => boolean {
  return (made) => revision >= made.revision;
}

export interface ToldChange<T> {
  readonly value: T;
  readonly calledAt: number;
  /** Undefined: not acknowledged. */
  acknowledged: Acknowledged | undefined;
}

export interface Acknowledged {
  readonly at: number;
  /** Who acknowledged it. */
  readonly gateway: string;
  /** Of the directory, at least, that has it. */
  readonly revision: number;
}

export class ToldValue<T> {
  /** One change is on its way: the next has to wait. */
  isChanging = false;
  readonly #changes: ToldChange<T>[];

  constructor(initial: T) {
    const acknowledged = { at: Number.NEGATIVE_INFINITY, gateway: '', revision: 0 };
    this.#changes = [{ value: initial, calledAt: Number.NEGATIVE_INFINITY, acknowledged }];
  }

  /** What was asked for last, done or not. */
  get newest(): T {
    return (this.#changes.at(-1) as ToldChange<T>).value;
  }

  /** The last change is known to have been made. */
  get isCertain(): boolean {
    return this.#changes.at(-1)?.acknowledged !== undefined;
  }

  /** Whether who acts on such changes has the last that was acknowledged. */
  isHeard(isInForce: (acknowledged: Acknowledged) => boolean): boolean {
    const last = this.#changes.findLast(({ acknowledged }) => acknowledged !== undefined);
    return last?.acknowledged === undefined || isInForce(last.acknowledged);
  }

  begin(value: T, now: number): ToldChange<T> {
    const change: ToldChange<T> = { value, calledAt: now, acknowledged: undefined };
    this.#changes.push(change);
    return change;
  }

  /** It was refused: nothing was changed. */
  forget(change: ToldChange<T>): void {
    const at = this.#changes.indexOf(change);
    if (at > 0) this.#changes.splice(at, 1);
  }

  /**
   * What a decision that was made until `until` may have gone by. `isInForce`: whether whoever decides must act on
   * an acknowledged change.
   */
  possible(isInForce: (acknowledged: Acknowledged) => boolean, until: number): readonly T[] {
    const from = this.#changes.findLastIndex(
      ({ acknowledged }) => acknowledged !== undefined && isInForce(acknowledged),
    );
    return this.#changes
      .slice(Math.max(0, from))
      .filter(({ calledAt }) => calledAt <= until)
      .map(({ value }) => value);
  }
}
