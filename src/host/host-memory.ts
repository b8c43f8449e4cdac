import { closeSync, openSync, readSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Memory } from '../env/memory.ts';

const statusPath = '/proc/self/status';
const anonymousPattern = /^RssAnon:\s+(\d+) kB$/m;

function exposeGc(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  return typeof gc === 'function' ? () => gc() : () => undefined;
}

/** Anonymous memory where the system tells (Linux), else all that is resident. */
export class HostMemory implements Memory {
  readonly #bytes = Buffer.allocUnsafe(4096);
  #gc: (() => void) | undefined;

  usedBytes(): number {
    return this.#anonymousBytes() ?? process.memoryUsage.rss();
  }

  collect(): void {
    // Without a flag of the process; found once, when it is first wanted.
    this.#gc ??= exposeGc();
    this.#gc();
  }

  #anonymousBytes(): number | undefined {
    try {
      const file = openSync(statusPath, 'r');
      try {
        const length = readSync(file, this.#bytes, 0, this.#bytes.length, 0);
        const found = anonymousPattern.exec(this.#bytes.toString('latin1', 0, length));
        return found === null ? undefined : Number(found[1]) * 1024;
      } finally {
        closeSync(file);
      }
    } catch {
      return undefined;
    }
  }
}
