// What a person is told of a seed that failed: the command that repeats it, what is wrong, and the last lines of the log,
// which end at the moment at which it was seen.

import type { RunResult } from './run.ts';

const problemsShown = 3;
const problemLinesShown = 40;

export function commandOf(seed: number, durationMs: number): string {
  return `npm run sim -- --seed ${seed} --seconds ${durationMs / 1000}`;
}

export function failureReport(
  { seed, problems, recentLog }: Pick<RunResult, 'seed' | 'problems' | 'recentLog'>,
  durationMs: number,
): string {
  const lines = [`seed ${seed} failed: ${commandOf(seed, durationMs)}`];
  for (const problem of problems.slice(0, problemsShown)) {
    const all = problem.split('\n');
    lines.push(...all.slice(0, problemLinesShown).map((line) => `  ${line}`));
    if (all.length > problemLinesShown)
      lines.push(`  (${all.length - problemLinesShown} lines more)`);
  }
  if (problems.length > problemsShown)
    lines.push(`  (${problems.length - problemsShown} problems more)`);
  lines.push('  the last lines:', ...recentLog.map((line) => `    ${line}`));
  return lines.join('\n');
}
