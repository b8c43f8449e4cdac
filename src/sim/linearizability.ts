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
  const done = new Array<boolean>(sorted.length).fill(false);
  const seen = new Set<string>();
  let steps = 0;

  const search = (state: State): 'yes' | 'no' | 'undecided' => {
    if (++steps > stepsMax) return 'undecided';
    let isOver = true;
    let firstAnswer = Number.POSITIVE_INFINITY;
    for (const [at, operation] of sorted.entries()) {
      if (done[at] === true || operation.answeredAt === undefined) continue;
      isOver = false;
      firstAnswer = Math.min(firstAnswer, operation.answeredAt);
    }
    if (isOver) return 'yes';
    const key = `${done.map((each) => (each ? 1 : 0)).join('')} ${state}`;
    if (seen.has(key)) return 'no';
    seen.add(key);
    for (const [at, operation] of sorted.entries()) {
      // Only what was called before the earliest answer still open can come next.
      if (operation.calledAt > firstAnswer) break;
      if (done[at] === true) continue;
      const next = model(state, operation.call);
      if (next === undefined) continue;
      done[at] = true;
      const result = search(next);
      if (result !== 'no') return result;
      done[at] = false;
    }
    return 'no';
  };
  return search(initial);
}
