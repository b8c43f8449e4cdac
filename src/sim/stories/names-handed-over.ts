// PROTOCOL rule 32, docs/decisions/0028-handing-over-names.md: a pool of mutable objects gets another number of placement
// groups while it is in use, and while disks, the monitor and who leads the old and the new groups die; it is turned
// back in the middle, and asked for again. No write is lost, none is made twice, and nothing that was removed is back.

import { copies } from '../../map/geometry.ts';
import { askForGroups, indexOf, turnBackIndex } from '../hand-over-stage.ts';
import { IndexStage } from '../index-stage.ts';

const hosts = ['a', 'b', 'c', 'd'];

class Story extends IndexStage {
  constructor() {
    super(hosts, { geometry: copies(3, 2), failureDomain: 'host', pgCount: 4 });
  }

  ask(pgCount: number): Promise<void> {
    return askForGroups(this.cluster, pgCount);
  }

  turnBack(): Promise<void> {
    return turnBackIndex(this.cluster);
  }

  /** How many names have gone from one layout to the other so far. */
  get handedOver(): number {
    return this.#handedOver;
  }

  #handedOver = 0;

  watch(): void {
    const { onLog } = this.cluster;
    this.cluster.onLog = (line) => {
      onLog?.(line);
      if (line.event === 'name handed over') this.#handedOver++;
    };
  }

  async untilOver(pgCount: number): Promise<void> {
    const isOver = (): boolean => indexOf(this.cluster).layouts.length === 1;
    await this.cluster.until('the change to be over', isOver, 300_000);
    const [layout] = indexOf(this.cluster).layouts;
    this.expect(layout?.pgCount === pgCount, `there are ${layout?.pgCount} groups`);
    await this.cluster.untilClean(200_000);
  }

  async untilHandedOver(count: number): Promise<void> {
    const wanted = this.#handedOver + count;
    await this.cluster.until('names to go', () => this.#handedOver >= wanted, 60_000);
  }

  leadsOf(layout: number): readonly number[] {
    const of = this.cluster.monitor.records;
    return [...of.values()].flatMap(({ pg, primary }) => {
      const osd = this.cluster.osdOf(primary);
      return pg.split('.')[1] === String(layout) && osd !== undefined ? [osd.id] : [];
    });
  }
}

export async function namesHandedOver(): Promise<void> {
  const stage = new Story();
  const { cluster } = stage;
  stage.watch();
  await stage.begin();
  let isOver = false;
  const load = stage.load(() => isOver);
  // Looked at below; until then it must not be nobody's.
  load.catch(() => {});
  await stage.run(3000);

  // With nothing in the way.
  await stage.ask(7);
  await stage.write('on the way');
  await stage.untilOver(7);
  await stage.read('on the way');

  // Back to fewer, while who leads the old groups, then the new ones, die, and the monitor.
  await stage.ask(3);
  await stage.untilHandedOver(4);
  cluster.killOsd(stage.leadsOf(2)[0] as number);
  await stage.run(1500);
  cluster.killMonitor({ power: true });
  await stage.run(1500);
  await cluster.startMonitor();
  for (const { id, osd } of cluster.osds) if (osd === undefined) await cluster.startOsd(id);
  await stage.run(3000);
  cluster.killOsd(stage.leadsOf(3)[0] as number, { power: true });
  await stage.run(12_000);
  for (const { id, osd } of cluster.osds) if (osd === undefined) await cluster.startOsd(id);
  await stage.write('over deaths');
  await stage.untilOver(3);
  await stage.read('over deaths');

  // Turned back when some have gone, and asked for again before all are back.
  await stage.ask(8);
  await stage.untilHandedOver(6);
  await stage.turnBack();
  await stage.untilHandedOver(2);
  await stage.write('turned back');
  await stage.ask(8);
  await stage.untilHandedOver(3);
  await stage.turnBack();
  await stage.untilOver(3);
  await stage.read('turned back');
  await stage.ask(5);
  await stage.untilOver(5);
  isOver = true;
  await cluster.settle(load, 'the load to end');
  await stage.read('turned back');
  await stage.compare();
  stage.end();
}
