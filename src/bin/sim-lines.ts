// What the simulator's runner says to the programs that run many of it, a line of JSON each; and the numbers on their
// command lines.

import type { RunResult } from '../sim/run.ts';

export type SimLine =
  | { readonly kind: 'begins'; readonly seed: number }
  /** `cpuMs`: CPU time that the seed took. */
  | { readonly kind: 'ended'; readonly result: RunResult; readonly cpuMs: number };

export function lineOf(line: SimLine): string {
  return JSON.stringify(line);
}

export function parseLine(line: string): SimLine {
  return JSON.parse(line) as SimLine;
}

/** Throws what the option's owner can act on. */
export function numberOf(
  option: string,
  words: string,
  { min, integer = false }: { readonly min: number; readonly integer?: boolean },
): number {
  const value = words.trim() === '' ? Number.NaN : Number(words);
  if (Number.isFinite(value) && value >= min && (!integer || Number.isInteger(value))) return value;
  throw new Error(
    `--${option} is ${words}: give a ${integer ? 'whole ' : ''}number from ${min} on`,
  );
}
