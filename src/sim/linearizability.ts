// Is there an order of these operations, each placed somewhere between its call and its answer, in which
// one copy of the object would have given the same answers? The search of Wing and Gong with Lowe's
// memory of states seen. An operation whose outcome is unknown may be placed anywhere after its call, or
// nowhere.

export interface Operation<Call> {
  readonly call: Call;
  readonly calledAt: number;
  /** Undefined: the outcome is unknown. */
  readonly answeredAt: number | undefined;
}

/** Applies a call to a state: the next state, or undefined when the recorded answer can't be. */
export type Model<State, Call> = (state: State, call: Call) => State | undefined;

/** Steps after which the search gives up; a history that needs more is reported as undecided. */
const stepsMax = 2_000_000;

export function isLinearizable<State extends string, Call>(
  operations: readonly Operation<Call>[],
  initial: State,
  model: Model<State, Call>,
): 'yes' | 'no' | 'undecided' {
  const sorted = [...operations].sort((a, b) => a.calledAt - b.calledAt);
  /** The earliest answer among the operations from here on. */
  const firstAnswerFrom: number[] = new Array(sorted.length + 1).fill(Number.POSITIVE_INFINITY);
  for (let at = sorted.length - 1; at >= 0; at--)
    firstAnswerFrom[at] = Math.min(
      firstAnswerFrom[at + 1] as number,
      sorted[at]?.answeredAt ?? Number.POSITIVE_INFINITY,
    );
  const answerOf = (at: number): number => sorted[at]?.answeredAt ?? Number.POSITIVE_INFINITY;
  const seen = new Set<string>();
  let steps = 0;

  /** Placed are all before `frontier` but those in `open`. */
  const search = (
    state: State,
    open: readonly number[],
    frontier: number,
  ): 'yes' | 'no' | 'undecided' => {
    if (++steps > stepsMax) return 'undecided';
    let firstAnswer = firstAnswerFrom[frontier] as number;
    for (const at of open) firstAnswer = Math.min(firstAnswer, answerOf(at));
    if (firstAnswer === Number.POSITIVE_INFINITY) return 'yes';
    const key = `${frontier} ${open.join()} ${state}`;
    if (seen.has(key)) return 'no';
    seen.add(key);
    // Only what was called before the earliest answer still open can come next; what was answered first
    // is the best guess, what never was the worst.
    const candidates = [...open];
    for (let at = frontier; at < sorted.length; at++) {
      if ((sorted[at] as Operation<Call>).calledAt > firstAnswer) break;
      candidates.push(at);
    }
    candidates.sort((a, b) =>
      answerOf(a) < answerOf(b) ? -1 : answerOf(a) > answerOf(b) ? 1 : a - b,
    );
    for (const at of candidates) {
      const next = model(state, (sorted[at] as Operation<Call>).call);
      if (next === undefined) continue;
      const left = open.filter((each) => each !== at);
      for (let skipped = frontier; skipped < at; skipped++) left.push(skipped);
      const result = search(next, left, Math.max(frontier, at + 1));
      if (result !== 'no') return result;
    }
    return 'no';
  };
  return search(initial, [], 0);
}
