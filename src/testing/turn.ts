// Declared here and nowhere else in the core: the driver of virtual time is the one user of a real timer.
declare const setImmediate: (callback: () => void) => unknown;

/**
 * Lets every promise continuation that is ready run, and all that they make ready. The only real timer of
 * the simulated world.
 */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
