// What happened in a scenario, told as a story: what was done to the cluster, and what could be seen of it, a line
// each with its second of virtual time. Nothing of it comes from events or chance, so that a change which only
// shifts those leaves the story as it is. The stories are kept in `recordings/`, and a test compares them.

import { isClean, type PgRecord, slotsIn } from '../map/pg-record.ts';
import { layoutOf } from '../mon/planner.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

interface Line {
  /** Undefined: a heading. */
  readonly atSeconds: number | undefined;
  readonly what: string;
}

/** Longer stories are cut: nobody reads them. */
const linesMax = 2000;

/** Of more placement groups it tells whether all are clean: in which order they become so is chance. */
const groupsToldMax = 4;

/** Of the scenario that runs now; undefined: nobody listens. */
let lines: Line[] | undefined;

/** Plays a scenario and answers its story. One at a time. */
export async function record(scenario: () => Promise<void>): Promise<string> {
  const mine: Line[] = [];
  lines = mine;
  try {
    await scenario();
  } finally {
    lines = undefined;
  }
  return shortened(mine).map(format).join('');
}

/** So many rows one after the other are told each. */
const setsTold = 8;

/** Long runs of rows that are set: the first few, and that there were more. */
function shortened(story: readonly Line[]): readonly Line[] {
  let sets = 0;
  return story.flatMap((line) => {
    sets = line.what.startsWith('set ') ? sets + 1 : 0;
    if (sets <= setsTold) return [line];
    return sets === setsTold + 1 ? [{ ...line, what: 'set more' }] : [];
  });
}

function format({ atSeconds, what }: Line): string {
  return atSeconds === undefined ? `${what}\n` : `${String(atSeconds).padStart(5)} s  ${what}\n`;
}

function add(line: Line): void {
  if (lines !== undefined && lines.length < linesMax) lines.push(line);
}

/** Adds a line to the story of the scenario that runs; nothing when it is not recorded. */
export function tell(cluster: SimulatedCluster, what: string): void {
  add({ atSeconds: Math.round(cluster.scheduler.now() / 1000), what });
}

/**
 * Has the story tell of a cluster which daemons run, which links are cut, which disks are up and in, and of each
 * placement group who leads it, who is in-sync, and whether it is clean. Call what it answers after each event.
 */
export function follow(cluster: SimulatedCluster): () => void {
  if (lines === undefined) return () => {};
  add({ atSeconds: undefined, what: 'A cluster:' });
  cluster.network.onDeed = (what) => tell(cluster, what);
  const follower = new Follower(cluster);
  return () => follower.look();
}

class Follower {
  readonly #cluster: SimulatedCluster;
  /** The last that was told of each. */
  readonly #told = new Map<string, string>();
  readonly #processes = new Map<string, unknown>();
  #map: unknown;
  #records: unknown;
  #begins = true;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
  }

  look(): void {
    const cluster = this.#cluster;
    this.#note('the monitor', cluster.hasMonitor ? 'runs' : 'is stopped');
    for (const osd of cluster.osds) this.#lookAtProcess(`osd.${osd.id}`, osd.process);
    if (cluster.hasMonitor) this.#lookAtMap();
  }

  #lookAtProcess(
    name: string,
    process: { readonly isAlive: boolean; readonly isPaused: boolean } | undefined,
  ): void {
    const before = this.#processes.get(name);
    this.#processes.set(name, process);
    if (process?.isAlive !== true) this.#note(name, 'is stopped');
    else if (process.isPaused) this.#note(name, 'stands still');
    else if (before !== undefined && before !== process) {
      // Stopped and started between two looks.
      this.#note(name, 'is stopped');
      this.#note(name, 'runs');
    } else this.#note(name, 'runs');
  }

  #lookAtMap(): void {
    const { map, records } = this.#cluster.monitor;
    if (map === this.#map && records === this.#records) return;
    this.#map = map;
    this.#records = records;
    for (const osd of map.osds)
      this.#note(`disk ${osd.id}`, `is ${osd.up ? 'up' : 'down'} and ${osd.in ? 'in' : 'out'}`);
    if (records.size > groupsToldMax) {
      const isWhole = [...records.values()].every((record) => this.#isClean(record));
      this.#note(`${records.size} PGs`, isWhole ? 'are clean' : 'are not all clean');
    } else for (const record of records.values()) this.#lookAtGroup(record);
    this.#begins = false;
  }

  #isClean(record: PgRecord): boolean {
    const layout = layoutOf(this.#cluster.monitor.map, record.pg);
    return layout !== undefined && isClean(record, layout);
  }

  #lookAtGroup(record: PgRecord): void {
    const inSync = slotsIn(record, 'in-sync').map(({ osd }) => osd);
    const leader = record.slots.find(({ uuid }) => uuid === record.primary)?.osd ?? 'nobody';
    this.#note(
      `PG ${record.pg}`,
      `is led by ${leader}, in-sync ${inSync.sort((a, b) => a - b).join(' ')}, ${this.#isClean(record) ? 'clean' : 'not clean'}`,
    );
  }

  /** What stands at the beginning is not news, but that it is so. */
  #note(name: string, state: string): void {
    if (this.#told.get(name) === state) return;
    this.#told.set(name, state);
    const isUsual = state === 'runs' || state === 'is up and in';
    if (!(this.#begins && isUsual)) tell(this.#cluster, `${name} ${state}`);
  }
}

/** How far a line may move before it is another story: a fifth of its second, and two seconds at least. */
const movedPart = 0.2;
const movedSecondsMin = 2;

const linePattern = /^ *(\d+) s {2}(.*)$/;

/** Where a story first differs from the one that was kept; undefined: they tell the same. */
export function difference(kept: string, told: string): string | undefined {
  const before = kept.split('\n');
  const after = told.split('\n');
  for (let at = 0; at < Math.max(before.length, after.length); at++)
    if (!isSame(before[at], after[at]))
      return `line ${at + 1} was: ${before[at] ?? 'nothing'}\nand is:      ${after[at] ?? 'nothing'}`;
  return undefined;
}

function isSame(before: string | undefined, after: string | undefined): boolean {
  if (before === after) return true;
  const was = linePattern.exec(before ?? '');
  const is = linePattern.exec(after ?? '');
  if (was === null || is === null || was[2] !== is[2]) return false;
  const seconds = Number(was[1]);
  return Math.abs(Number(is[1]) - seconds) <= Math.max(movedSecondsMin, seconds * movedPart);
}
