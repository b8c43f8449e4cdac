/** One at a time, first come first served; free of cost when nobody waits. */
export class Turnstile {
  #busy = false;
  /** Made when somebody waits. */
  #queue: (() => void)[] | undefined;

  /** Takes it now if it is free; then the caller must `release`. */
  tryAcquire(): boolean {
    if (this.#busy) return false;
    this.#busy = true;
    return true;
  }

  acquire(): Promise<void> {
    if (this.tryAcquire()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#queue ??= [];
      this.#queue.push(resolve);
    });
  }

  release(): void {
    const next = this.#queue?.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#busy = false;
    this.#queue = undefined;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.acquire();
    try {
      return await work();
    } finally {
      this.release();
    }
  }
}

/** A number of permits, first come first served: bounds what runs or is held at once. */
export class Permits {
  #free: number;
  readonly #queue: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  acquire(count = 1): Promise<void> {
    if (this.#queue.length === 0 && this.#free >= count) {
      this.#free -= count;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#queue.push({ count, resolve }));
  }

  release(count = 1): void {
    this.change(count);
  }

  /** So many more permits, or fewer: those that are out stay out, and nobody gets one before they are covered. */
  change(by: number): void {
    this.#free += by;
    for (
      let next = this.#queue[0];
      next !== undefined && this.#free >= next.count;
      next = this.#queue[0]
    ) {
      this.#queue.shift();
      this.#free -= next.count;
      next.resolve();
    }
  }
}
