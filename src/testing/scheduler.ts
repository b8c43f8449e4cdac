// Virtual time. Events happen one at a time, in order of their instant, equal ones in the order they were
// made; after each, all promise continuations run out before the next is taken.

import { assert } from '../base/assert.ts';
import type { Instant } from '../env/clock.ts';
import { everyTurn } from './turn.ts';

export interface Cancellable {
  cancel(): void;
}

class Scheduled implements Cancellable {
  readonly at: number;
  readonly order: number;
  readonly name: string;
  readonly action: () => void;
  isCancelled = false;

  constructor(at: number, order: number, name: string, action: () => void) {
    this.at = at;
    this.order = order;
    this.name = name;
    this.action = action;
  }

  cancel(): void {
    this.isCancelled = true;
  }
}

export class Scheduler {
  #now = 0;
  #order = 0;
  #heap: Scheduled[] = [];
  #events = 0;
  #trace = 0;

  /** Called after each event and all it led to, for checkers that look at every step. */
  afterEach: () => void = () => undefined;
  /** Told each event before it happens. */
  onEvent: ((at: number, name: string) => void) | undefined;

  now(): Instant {
    return this.#now as Instant;
  }

  /** Events that have happened. */
  get events(): number {
    return this.#events;
  }

  /** A digest of everything that happened, in order: equal for equal seeds. */
  get trace(): number {
    return this.#trace >>> 0;
  }

  after(delayMs: number, name: string, action: () => void): Cancellable {
    assert(delayMs >= 0, 'time does not run backwards');
    const event = new Scheduled(this.#now + delayMs, this.#order++, name, action);
    this.#push(event);
    return event;
  }

  /**
   * Runs until the condition holds, looked at after each event. Throws when `limitMs` of virtual time
   * pass first, or nothing is left to happen.
   */
  runUntil(what: string, condition: () => boolean, limitMs: number): Promise<void> {
    const deadline = this.#now + limitMs;
    let hasBegun = false;
    return everyTurn(() => {
      if (hasBegun) this.afterEach();
      hasBegun = true;
      if (condition()) return false;
      const event = this.#pop();
      if (event === undefined) throw new Error(`nothing left to happen while waiting for: ${what}`);
      if (event.at > deadline) {
        this.#push(event);
        throw new Error(`not within ${limitMs} ms of virtual time: ${what}`);
      }
      this.#now = event.at;
      this.#events++;
      this.#trace = Math.imul(this.#trace ^ digestOf(event.name), 0x01000193);
      this.#trace = Math.imul(this.#trace ^ Math.floor(event.at * 1000), 0x01000193);
      this.onEvent?.(event.at, event.name);
      event.action();
      return true;
    });
  }

  /** Runs for a time. */
  async run(durationMs: number): Promise<void> {
    let isOver = false;
    this.after(durationMs, 'end of run', () => {
      isOver = true;
    });
    await this.runUntil('the end of the run', () => isOver, durationMs + 1);
  }

  /** Runs until the promise settles. */
  async settle<T>(work: Promise<T>, what: string, limitMs: number): Promise<T> {
    let isSettled = false;
    const mark = (): void => {
      isSettled = true;
    };
    work.then(mark, mark);
    await this.runUntil(what, () => isSettled, limitMs);
    return work;
  }

  #push(event: Scheduled): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Scheduled)) break;
      heap[at] = heap[parent] as Scheduled;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Scheduled | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      this.#removeTop();
      if (!top.isCancelled) return top;
    }
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Scheduled;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (
        child + 1 < heap.length &&
        isBefore(heap[child + 1] as Scheduled, heap[child] as Scheduled)
      )
        child++;
      if (!isBefore(heap[child] as Scheduled, last)) break;
      heap[at] = heap[child] as Scheduled;
      at = child;
    }
    heap[at] = last;
  }
}

/** Names come again and again: a few hundred in a run. */
const digests = new Map<string, number>();
const digestsMax = 10_000;

function digestOf(name: string): number {
  const known = digests.get(name);
  if (known !== undefined) return known;
  let digest = 0x811c9dc5;
  for (let at = 0; at < name.length; at++)
    digest = Math.imul(digest ^ name.charCodeAt(at), 0x01000193);
  if (digests.size >= digestsMax) digests.clear();
  digests.set(name, digest);
  return digest;
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
