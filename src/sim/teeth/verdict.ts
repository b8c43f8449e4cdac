// What the run of a planted bug proves. Only a scenario or a seed that says what it found has caught the bug: a run that
// ends in any other way may have met a bug of the patch, or of the machine.

/** How a child process ended. */
export interface Ending {
  /** Null: by a signal. */
  readonly code: number | null;
  /** It was stopped because its time was over. */
  readonly isLate: boolean;
  /** What it wrote to its standard error. */
  readonly errors: string;
}

export type Verdict =
  | { readonly kind: 'caught'; readonly by: string }
  | { readonly kind: 'passed' }
  | { readonly kind: 'ended-badly'; readonly how: string };

/** The line with which sim.ts says that a scenario failed, and by what. */
export function scenarioFailure(name: string, error: unknown): string {
  const words = String(error instanceof Error ? error.message : error);
  return `scenario ${name} failed: ${words.split('\n')[0] ?? ''}`;
}

/** Text that does not belong to the program: such a patch breaks the build, and no rule. */
const brokenPatch = /\b(ReferenceError|SyntaxError|TypeError)\b/;

/** Of one scenario. */
export function judgeScenario(name: string, { code, isLate, errors }: Ending): Verdict {
  if (isLate) return { kind: 'ended-badly', how: `scenario ${name} did not end in time` };
  if (code === 0) return { kind: 'passed' };
  const begin = `scenario ${name} failed: `;
  const line = errors.split('\n').find((each) => each.startsWith(begin));
  if (code !== 1 || line === undefined) return { kind: 'ended-badly', how: endedHow(code, errors) };
  return judgeWords(`scenario ${name}`, line.slice(begin.length), errors);
}

/** Of one seed that found something. */
export function judgeSeed(seed: number, problems: readonly string[]): Verdict {
  const [first] = problems;
  if (first === undefined) return { kind: 'passed' };
  return judgeWords(`seed ${seed}`, first.split('\n')[0] ?? '', problems.join('\n'));
}

/** Of a worker that ran seeds and was not stopped: it ends with 0 whatever the seeds found. */
export function judgeWorker({ code, errors }: Ending): Verdict {
  return code === 0 ? { kind: 'passed' } : { kind: 'ended-badly', how: endedHow(code, errors) };
}

function judgeWords(where: string, words: string, all: string): Verdict {
  const broken = brokenPatch.exec(all);
  if (broken !== null) {
    const line = all.slice(broken.index).split('\n')[0] ?? '';
    return { kind: 'ended-badly', how: `${where}: the patched program is wrong: ${line}` };
  }
  return { kind: 'caught', by: `${where}: ${words.slice(0, 110)}` };
}

function endedHow(code: number | null, errors: string): string {
  const last = errors.trim().split('\n').at(-1) ?? '';
  return `a run ended ${code === null ? 'by a signal' : `with ${code}`}: ${last.slice(0, 110)}`;
}
