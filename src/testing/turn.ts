// Declared here and nowhere else in the core: the driver of virtual time is the one user of a real timer.
declare const setImmediate: (callback: () => void) => unknown;

/**
 * Turns asked for at once. Node lets all promise continuations run out between two of its immediate callbacks
 * also when both belong to one round of its loop, and a round costs a system call.
 */
const turnsAtOnce = 64;

const waiting: (() => void)[] = [];
let turnsLeft = 0;

function take(): void {
  turnsLeft--;
  waiting.shift()?.();
}

/**
 * Lets every promise continuation that is ready run, and all that they make ready. The only real timer of
 * the simulated world.
 */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (turnsLeft >= waiting.length) return;
    for (let count = 0; count < turnsAtOnce; count++) setImmediate(take);
    turnsLeft += turnsAtOnce;
  });
}
