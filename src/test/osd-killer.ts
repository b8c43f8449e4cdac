// Kills a cluster's OSDs while something else uses it: one at a time with SIGKILL, in turn, each started again by
// the supervisor and every PG clean before the next. At no time is more than one away, which is what the default
// geometries promise to serve through.

import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterProcess } from './cluster-process.ts';

/**
 * With all there, between two kills. With the two to three seconds that a return takes, each of five OSDs lives for
 * thirty seconds: the supervisor forgives it the kill before, and starts it again at once.
 */
const pauseMs = 4000;

const restartMs = 60_000;

/** Kills of one run; what needs more is stuck. */
const killsMax = 500;

export interface OsdKill {
  readonly name: string;
  /** From the kill until every PG was clean again; undefined while it is not. */
  cleanAfterMs: number | undefined;
}

export class OsdKiller {
  readonly #cluster: ClusterProcess;
  readonly #kills: OsdKill[] = [];
  #waiting: (() => void)[] = [];
  #stopping = false;
  readonly #ended: Promise<void>;
  #failure: unknown;

  constructor(cluster: ClusterProcess) {
    this.#cluster = cluster;
    this.#ended = this.#run().catch((error: unknown) => {
      this.#failure = error;
      this.#wake();
    });
  }

  /** Until now, in order. */
  get kills(): readonly OsdKill[] {
    return this.#kills;
  }

  /** Resolves when the next OSD has just been killed; throws when one did not come back. */
  async nextKill(): Promise<void> {
    if (this.#failure === undefined && !this.#stopping)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when the last one killed is back and every PG is clean; throws when one was not. */
  async stop(): Promise<readonly OsdKill[]> {
    this.#stopping = true;
    await this.#ended;
    if (this.#failure !== undefined) throw this.#failure;
    return this.#kills;
  }

  async #run(): Promise<void> {
    const ids = this.#cluster.ready.osds.map(({ id }) => id);
    for (let turn = 0; turn < killsMax && !this.#stopping; turn++) {
      const name = `osd.${ids[turn % ids.length]}`;
      const pid = await this.#cluster.pidOf(name);
      await this.#cluster.kill(name);
      const begun = performance.now();
      const kill: OsdKill = { name, cleanAfterMs: undefined };
      this.#kills.push(kill);
      this.#wake();
      await this.#cluster.untilReplaced({ name, pid }, restartMs);
      await this.#cluster.untilClean();
      kill.cleanAfterMs = performance.now() - begun;
      await delay(pauseMs);
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each();
  }
}
