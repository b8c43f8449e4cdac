import type { Tasks } from '../env/tasks.ts';

export class HostTasks implements Tasks {
  readonly #failed: (name: string, error: unknown) => void;

  /** `failed` stops the daemon. */
  constructor(failed: (name: string, error: unknown) => void) {
    this.#failed = failed;
  }

  spawn(name: string, work: () => Promise<void>): void {
    // A throw before the first await is a failure of the task, too.
    const run = async (): Promise<void> => work();
    run().catch((error: unknown) => this.#failed(name, error));
  }
}
