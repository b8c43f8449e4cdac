import { closeSync, openSync, readSync } from 'node:fs';
import type { Memory } from '../env/memory.ts';

const statusPath = '/proc/self/status';
const anonymousPattern = /^RssAnon:\s+(\d+) kB$/m;

/** Anonymous memory where the system tells (Linux), else all that is resident. */
export class HostMemory implements Memory {
  readonly #bytes = Buffer.allocUnsafe(4096);

  usedBytes(): number {
    return this.#anonymousBytes() ?? process.memoryUsage.rss();
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
