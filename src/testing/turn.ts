// Declared here and nowhere else in the core: the driver of virtual time is the one user of a real timer.
declare const setImmediate: (callback: () => void) => unknown;

/**
 * Turns asked for at once. Node lets all promise continuations run out between two of its immediate callbacks
 * also when both belong to one round of its loop, and a round costs a system call.
 */
const turnsAtOnce = 64;

/** Answers whether it wants another turn; throws nothing. */
type Step = () => boolean;

const waiting: Step[] = [];
let turnsLeft = 0;

function take(): void {
  turnsLeft--;
  const step = waiting.shift();
  if (step?.() === true) ask(step);
}

function ask(step: Step): void {
  waiting.push(step);
  if (turnsLeft >= waiting.length) return;
  for (let count = 0; count < turnsAtOnce; count++) setImmediate(take);
  turnsLeft += turnsAtOnce;
}

/**
 * Calls `step` from the next turn on, once a turn, until it answers false; before each call every promise continuation
 * that is ready has run, and all that they make ready. Rejects with what `step` throws. The only real timer of the
 * simulated world.
 */
export function everyTurn(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    ask(() => {
      try {
        if (step()) return true;
        resolve();
      } catch (error) {
        reject(error);
      }
      return false;
    });
  });
}
