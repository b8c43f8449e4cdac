// A stage whose index has many objects, which are written and read while something is done to their pool.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import { ClientError } from '../client/errors.ts';
import type { DomainLevel } from '../map/cluster-map.ts';
import type { Geometry } from '../map/geometry.ts';
import { tell } from './recording.ts';
import { Stage } from './stage.ts';
import { workloadMethods } from './workload.ts';

const rows = 24;

/** Between two rows of the load: some hundreds of them while a change is made. */
const loadPauseMs = 60;

export class IndexStage extends Stage {
  #client: ClusterClient | undefined;

  constructor(
    hosts: readonly string[],
    index: { geometry: Geometry; failureDomain: DomainLevel; pgCount: number },
  ) {
    super(hosts.length, index.geometry, false, undefined, index.pgCount, workloadMethods, {
      hosts,
      failureDomain: index.failureDomain,
    });
  }

  async begin(): Promise<void> {
    this.#client = await this.start();
    await this.write('first');
  }

  /** A row in each group, and more, each acknowledged. */
  async write(value: string): Promise<void> {
    for (let at = 0; at < rows; at++) await this.#swap(at, `k=${value}`);
    tell(this.cluster, `every row is ${value}`);
  }

  async read(value: string): Promise<void> {
    for (let at = 0; at < rows; at++)
      this.expect((await this.#swap(at, 'k')) === value, `row ${at} is ${value}`);
  }

  #swap(at: number, argument: string): Promise<string> {
    return this.cluster.settle(this.#call(at, argument), `${argument} of object-${at}`, 20_000);
  }

  async #call(at: number, argument: string): Promise<string> {
    const client = this.#client as ClusterClient;
    const call = client.call('.index', `object-${at}`, 'sim.swap', encodeUtf8(argument));
    return decodeUtf8(await call);
  }

  /** Swaps one row after the other beside all that happens, until it is told to end: none is lost, none comes twice. */
  async load(isOver: () => boolean): Promise<void> {
    const last = new Map<number, string>();
    const undecided = new Map<number, Set<string>>();
    let acknowledged = 0;
    for (let count = 1; !isOver(); count++) {
      const at = count % rows;
      const value = String(count);
      try {
        const before = await this.#call(at, `load=${value}`);
        const isLate = undecided.get(at)?.delete(before) === true;
        this.expect(isLate || before === (last.get(at) ?? ''), `${before} was in row ${at}`);
        last.set(at, value);
        acknowledged++;
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        undecided.set(at, (undecided.get(at) ?? new Set()).add(value));
      }
      await new Promise<void>((resolve) => {
        this.cluster.scheduler.after(loadPauseMs, 'load pause', resolve);
      });
    }
    this.expect(acknowledged > rows, `${acknowledged} were acknowledged`);
  }
}
