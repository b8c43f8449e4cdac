// What a run found: for each family how many answers were equal, which differences are explained, and the rest, each kind
// once with an example.

import type { Difference } from './compare.ts';
import { explanationOf } from './known-differences.ts';
import type { Step } from './side.ts';

interface Where {
  readonly step: Step;
  readonly seed: number;
  readonly family: string;
}

interface Kind {
  readonly example: string;
  count: number;
}

/** Answers, not fields: one that has a difference without explanation counts as differing. */
interface Tally {
  equal: number;
  explained: number;
  differing: number;
}

/** The step as a person reads it. */
export function describeStep(step: Step): string {
  const query = new URLSearchParams(step.query).toString();
  const { form, who = 'main', website, session, quota } = step;
  if (quota !== undefined) return `${step.name}: quota ${JSON.stringify(quota)}`;
  const body =
    form === undefined
      ? typeof step.body === 'string'
        ? ` ${step.body.slice(0, 500)}`
        : step.body === undefined
          ? ''
          : ` ${step.body.length} bytes`
      : ` ${JSON.stringify({ ...form, file: form.file?.length })}`;
  const parameters = step.parameters === undefined ? '' : ` ${JSON.stringify(step.parameters)}`;
  const by = session === undefined ? who : `${who}, session ${session.name} ${session.use}`;
  const headers = JSON.stringify(step.headers ?? {});
  const at = website === undefined ? '' : ` website ${website}`;
  return `${step.name}: ${by}${at} ${step.method} ${step.path}?${query} ${headers}${parameters}${body}`;
}

function describe({ step, seed, family }: Where, { field, holdfast, peer }: Difference): string {
  return `${family}, seed ${seed}, ${describeStep(step)}\n    ${field}: here ${holdfast.slice(0, 200)}, there ${peer.slice(0, 200)}`;
}

export class Findings {
  readonly #unexplained = new Map<string, Kind>();
  readonly #explained = new Map<string, number>();
  readonly #tallies = new Map<string, Tally>();

  get isExplained(): boolean {
    return this.#unexplained.size === 0;
  }

  #tallyOf(family: string): Tally {
    const known = this.#tallies.get(family);
    if (known !== undefined) return known;
    const tally = { equal: 0, explained: 0, differing: 0 };
    this.#tallies.set(family, tally);
    return tally;
  }

  add(where: Where, differences: readonly Difference[]): void {
    const tally = this.#tallyOf(where.family);
    let isExplained = true;
    for (const each of differences) {
      const explanation = explanationOf(where.family, where.step, each);
      if (explanation === undefined) isExplained = false;
      if (explanation !== undefined)
        this.#explained.set(explanation, (this.#explained.get(explanation) ?? 0) + 1);
      else this.#keep(where, each);
    }
    if (differences.length === 0) tally.equal++;
    else if (isExplained) tally.explained++;
    else tally.differing++;
  }

  #keep(where: Where, difference: Difference): void {
    const { field, holdfast, peer } = difference;
    const isNamed = /^(status|code)$/.test(field);
    const values = isNamed ? `: ${holdfast} and ${peer}` : '';
    const kind = `${where.family} ${where.step.action} ${field}${values}`;
    const known = this.#unexplained.get(kind);
    if (known !== undefined) known.count++;
    else this.#unexplained.set(kind, { count: 1, example: describe(where, difference) });
  }

  report(): void {
    for (const [explanation, count] of [...this.#explained].sort())
      console.log(`${String(count).padStart(6)}  explained: ${explanation}`);
    for (const [kind, { count, example }] of [...this.#unexplained].sort())
      console.log(`${String(count).padStart(6)}  ${kind}\n    ${example}`);
    let steps = 0;
    for (const [family, { equal, explained, differing }] of this.#tallies) {
      const all = equal + explained + differing;
      steps += all;
      console.log(
        `${family}: ${all} operations, ${equal} equal, ${explained} with differences that are explained, ${differing} with others`,
      );
    }
    console.log(
      `${steps} operations, ${this.#explained.size} kinds of differences explained, ${this.#unexplained.size} not`,
    );
  }
}
