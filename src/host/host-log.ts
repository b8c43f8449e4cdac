// A daemon's log: one JSON object a line, in a file that is cut at 16 MiB and kept four times. Each line is
// written when it is logged, so that the last words before a crash are there.

import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Log, LogFields, LogLevel } from '../env/log.ts';

/** Four files of this: a day of a busy daemon, and never more than 64 MiB. */
const fileBytesMax = 16 * 1024 * 1024;
const filesMax = 4;

/** An error may quote what a peer sent. */
const fieldCharactersMax = 4096;

export interface LogOptions {
  /** `DATA/log/ROLE.ID.jsonl`. */
  readonly path: string;
  /** `ROLE.ID`, in every line. */
  readonly daemon: string;
  /** Also shows each line, readable by people: for a daemon run by hand on a terminal. */
  readonly echo?: (line: string) => void;
}

export class HostLog implements Log {
  readonly #options: LogOptions;
  #descriptor: number | undefined;
  #bytes = 0;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  write(level: LogLevel, event: string, fields: LogFields = {}): void {
    const at = new Date().toISOString();
    const cut: Record<string, string | number | boolean> = {};
    for (const [name, value] of Object.entries(fields))
      if (value !== undefined)
        cut[name] = typeof value === 'string' ? value.slice(0, fieldCharactersMax) : value;
    this.#append(`${JSON.stringify({ at, level, daemon: this.#options.daemon, event, ...cut })}\n`);
    this.#options.echo?.(formatForPeople(at, level, `${this.#options.daemon}: ${event}`, cut));
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** A log that can't be written (a full disk) stops nothing. */
  #append(line: string): void {
    try {
      if (this.#bytes >= fileBytesMax) this.#rotate();
      this.#descriptor ??= this.#open();
      this.#bytes += writeSync(this.#descriptor, line);
    } catch {
      this.#descriptor = undefined;
    }
  }

  #open(): number {
    mkdirSync(dirname(this.#options.path), { recursive: true, mode: 0o700 });
    const descriptor = openSync(this.#options.path, 'a', 0o600);
    this.#bytes = fstatSync(descriptor).size;
    return descriptor;
  }

  #rotate(): void {
    this.close();
    this.#bytes = 0;
    const { path } = this.#options;
    for (let age = filesMax - 1; age >= 1; age--)
      try {
        renameSync(age === 1 ? path : `${path}.${age - 1}`, `${path}.${age}`);
      } catch {
        // That one is not there yet.
      }
  }
}

function formatForPeople(
  at: string,
  level: LogLevel,
  event: string,
  fields: Readonly<Record<string, string | number | boolean>>,
): string {
  const words = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return [at.slice(11, 23), level.padEnd(5), event, ...words].join(' ');
}
