// Memory that several hold at once.

import { assert } from './assert.ts';

/** Given back when the last who holds it is done, not before and not much later. */
export class SharedMemory {
  readonly #release: () => void;
  #holders = 0;
  #isGivenBack = false;

  /** `release` is called once, when nobody holds the memory any more. */
  constructor(release: () => void) {
    this.#release = release;
  }

  get isHeld(): boolean {
    return this.#holders > 0;
  }

  /** One more holds it; call what it returns when that one is done, once or more often. */
  hold(): () => void {
    assert(!this.#isGivenBack, 'nobody holds what was given back');
    this.#holders++;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (--this.#holders > 0) return;
      this.#isGivenBack = true;
      this.#release();
    };
  }
}
