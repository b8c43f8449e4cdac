// When the operations of a simulated disk end, and how: in an order chosen by Random, late, never, or
// with an error, and not at all after the power is cut.

import type { Clock } from '../env/clock.ts';
import { EnvError, type EnvErrorCode } from '../env/errors.ts';
import type { Random } from '../env/random.ts';

export interface SimulatedOperation {
  readonly kind:
    | 'read'
    | 'list'
    | 'space'
    | 'open'
    | 'write-atomic'
    | 'remove'
    | 'block-read'
    | 'block-write'
    | 'block-sync'
    | 'rows-get'
    | 'rows-scan'
    | 'rows-commit'
    | 'rows-sync';
  readonly path: string;
  /** For block reads and writes. */
  readonly offsetBytes?: number;
  readonly lengthBytes?: number;
}

/** A disk that does one operation after the other, each as long as it takes to get there and to pass the bytes. */
export interface Medium {
  readonly seekMs: number;
  readonly bytesPerMs: number;
}

/**
 * `hang`: it never ends. `lost`: a write ends well and changes nothing. `misdirected`: it ends well and changes
 * other bytes. The others reject with the `EnvError` of that code and change nothing.
 */
export type SimulatedFault =
  | 'hang'
  | 'lost'
  | 'misdirected'
  | 'io'
  | 'no-space'
  | 'denied'
  | 'corrupt';

/** What became of a write that ended well. */
export type WriteFate = 'stored' | 'lost' | 'misdirected';

/** A change that has begun is on its way to the medium and may survive a crash or not. */
export type ChangeMoment = 'begun' | 'ended';

export interface OperationOptions {
  readonly random: Random;
  /** Without it, operations end within the microtasks of the same turn, still in random order. */
  readonly clock?: Clock;
  /** Bounds of an operation's duration, with a clock. */
  readonly delayMs?: { readonly min: number; readonly max: number };
  /** With a clock, instead of `delayMs`: operations wait for each other. */
  readonly medium?: Medium;
}

/**
 * Longest duration of an operation without a clock, in rounds of microtasks. A store's own steps between
 * two operations take one to three, so that any step may fall before or after the end of another.
 */
const turnsMax = 12;

const changing = new Set<SimulatedOperation['kind']>([
  'write-atomic',
  'remove',
  'block-write',
  'block-sync',
  'rows-commit',
  'rows-sync',
]);

export class SimulatedOperations {
  readonly #options: OperationOptions;
  readonly #changesLeft: Record<ChangeMoment, number> = {
    begun: Number.POSITIVE_INFINITY,
    ended: Number.POSITIVE_INFINITY,
  };
  #cut: () => void = () => undefined;
  #isCut = false;
  /** Resolves when the power is cut. */
  readonly powerCut: Promise<void>;
  /** Operations that change something and ended well. */
  changeCount = 0;
  /** Every operation that began. */
  beganCount = 0;
  /** When the medium has done all that was asked of it. */
  #idleAt = 0;
  /** Every operation takes so many times as long, with a clock. */
  slowness = 1;
  /** Asked as each operation begins; undefined: no fault. */
  fault: (operation: SimulatedOperation) => SimulatedFault | undefined = () => undefined;

  constructor(options: OperationOptions) {
    this.#options = options;
    this.powerCut = new Promise((resolve) => {
      this.#cut = resolve;
    });
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Cuts the power as soon as `count` more changes have begun or ended; nothing ends after that. */
  cutAfter(count: number, moment: ChangeMoment): void {
    this.#changesLeft[moment] = count;
    if (count === 0) this.cut();
  }

  /** Nothing ends any more. */
  cut(): void {
    this.#isCut = true;
    this.#cut();
  }

  /** Runs `effect` at the moment the operation ends; its result is the operation's. */
  run<T>(operation: SimulatedOperation, effect: (fate: WriteFate) => T): Promise<T> {
    this.beganCount++;
    const changes = changing.has(operation.kind);
    if (changes && !this.#isCut) this.#countChange('begun');
    const fault = this.#isCut ? 'hang' : this.fault(operation);
    return new Promise((resolve, reject) => {
      if (fault === 'hang') return;
      this.#later(operation, () => {
        if (this.#isCut) return;
        const fate = fault === 'lost' || fault === 'misdirected' ? fault : 'stored';
        if (fault !== undefined && fate === 'stored') {
          reject(
            new EnvError(
              fault as EnvErrorCode,
              `simulated, ${operation.kind} of ${operation.path}`,
            ),
          );
          return;
        }
        try {
          resolve(effect(fate));
        } catch (error) {
          reject(error);
          return;
        }
        if (changes) this.#countChange('ended');
      });
    });
  }

  #countChange(moment: ChangeMoment): void {
    if (moment === 'ended') this.changeCount++;
    this.#changesLeft[moment]--;
    if (this.#changesLeft[moment] === 0) this.cut();
  }

  #later(operation: SimulatedOperation, end: () => void): void {
    const { random, clock, delayMs, medium } = this.#options;
    if (clock !== undefined && medium !== undefined) {
      const { seekMs, bytesPerMs } = medium;
      const now = clock.now();
      const tookMs = (seekMs + (operation.lengthBytes ?? 0) / bytesPerMs) * this.slowness;
      this.#idleAt = Math.max(now, this.#idleAt) + tookMs;
      clock.after(this.#idleAt - now, 'simulated disk', end);
      return;
    }
    if (clock !== undefined) {
      const { min, max } = delayMs ?? { min: 0, max: 1 };
      clock.after((min + random.below(max - min + 1)) * this.slowness, 'simulated disk', end);
      return;
    }
    afterTurns(1 + random.below(turnsMax), end);
  }
}

/** Calls back in the microtask queue, behind what `turns` rounds of it bring. */
function afterTurns(turns: number, end: () => void): void {
  let step = Promise.resolve();
  for (let i = 0; i < turns; i++) step = step.then(() => undefined);
  step.then(end).catch((error: unknown) => {
    throw error;
  });
}
