// What nemeses did in many runs, by kind: faults are told apart from what ends them and from what operators do.

import type { RunResult } from './run.ts';

const words = { fault: 'faults', repair: 'repairs', change: "operators' changes" } as const;
type StrikeKind = keyof typeof words;

export class StrikeCounts {
  readonly #counts: Record<StrikeKind, Map<string, number>> = {
    fault: new Map(),
    repair: new Map(),
    change: new Map(),
  };

  add(strikes: RunResult['strikes']): void {
    for (const kind of Object.keys(words) as StrikeKind[])
      for (const [name, times] of Object.entries(strikes[kind]))
        this.#counts[kind].set(name, (this.#counts[kind].get(name) ?? 0) + times);
  }

  /** `N faults, N repairs, N operators' changes`. */
  totals(): string {
    return (Object.keys(words) as StrikeKind[])
      .map((kind) => `${this.#total(kind)} ${words[kind]}`)
      .join(', ');
  }

  #total(kind: StrikeKind): number {
    return [...this.#counts[kind].values()].reduce((sum, times) => sum + times, 0);
  }

  /** A line a kind, the most frequent first. */
  summary(): string {
    return (Object.keys(words) as StrikeKind[])
      .map((kind) => {
        const sorted = [...this.#counts[kind]].sort(
          ([a, times], [b, others]) => others - times || (a < b ? -1 : 1),
        );
        return `${this.#total(kind)} ${words[kind]}: ${sorted.map(([name, times]) => `${name} ${times}`).join(', ')}`;
      })
      .join('\n');
  }
}
