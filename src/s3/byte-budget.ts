// Bytes that all requests of a gateway may buffer together. Who needs more waits in line, which stops
// reading from its client: memory is bounded, and pressure reaches the socket.
//
// Nobody may wait here while holding what only they can release, or a full budget would never empty. A
// writer holds only blobs already on their way; a reader waits only while it holds nothing.

import { assert } from '../base/assert.ts';

export class ByteBudget {
  readonly limitBytes: number;
  #usedBytes = 0;
  readonly #waiting: { readonly bytes: number; readonly admit: () => void }[] = [];

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** More than half is taken: readers take smaller pieces. */
  get isPressed(): boolean {
    return this.#waiting.length > 0 || this.#usedBytes > this.limitBytes / 2;
  }

  tryAcquire(bytes: number): boolean {
    if (this.#waiting.length > 0 || this.#usedBytes + bytes > this.limitBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  /** First come, first served. */
  async acquire(bytes: number): Promise<void> {
    assert(bytes <= this.limitBytes, 'no single need is above the budget');
    if (this.tryAcquire(bytes)) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push({ bytes, admit: resolve });
    });
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    assert(this.#usedBytes >= 0, 'released no more than acquired');
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#usedBytes + next.bytes > this.limitBytes) return;
      this.#usedBytes += next.bytes;
      this.#waiting.shift();
      next.admit();
    }
  }
}
