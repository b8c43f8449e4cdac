// What was asked of each of several keys and what was answered, and whether one copy of the key would have
// answered so.

import { isLinearizable, type Model, type Operation } from './linearizability.ts';

export interface OpenOperation<Call> extends Operation<Call> {
  answeredAt: number | undefined;
}

export class KeyHistories<Call> {
  /** Histories too tangled to be checked to the end. */
  undecided = 0;
  readonly #now: () => number;
  readonly #model: Model<string, Call>;
  readonly #histories = new Map<string, OpenOperation<Call>[]>();

  /** The empty text is the state of each key at first. */
  constructor(now: () => number, model: Model<string, Call>) {
    this.#now = now;
    this.#model = model;
  }

  /** A change that is asked for now; whoever learns how it ended says so by `end`. */
  begin(key: string, call: Call): OpenOperation<Call> {
    return this.#add(key, { call, calledAt: this.#now(), answeredAt: undefined });
  }

  end(operation: OpenOperation<Call>): void {
    operation.answeredAt = this.#now();
  }

  /** A read that was asked for then, and answered now or a while ago. */
  noteRead(key: string, call: Call, calledAt: number, answeredAt = this.#now()): void {
    this.#add(key, { call, calledAt, answeredAt });
  }

  #add(key: string, operation: OpenOperation<Call>): OpenOperation<Call> {
    const history = this.#histories.get(key);
    if (history === undefined) this.#histories.set(key, [operation]);
    else history.push(operation);
    return operation;
  }

  /** `what`: how a key is called in a problem. */
  check(what: string): string[] {
    const wrong: string[] = [];
    for (const [key, history] of this.#histories) {
      const verdict = isLinearizable(history, '', this.#model);
      if (verdict === 'undecided') this.undecided++;
      if (verdict === 'no')
        wrong.push(`${what} ${key} is not linearizable: ${JSON.stringify(history)}`);
    }
    return wrong;
  }
}
