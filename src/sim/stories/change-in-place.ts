// docs/decisions/0024-changes-in-place.md: a pool of mutable objects that began on one host gets more copies, on hosts,
// while it is in use and while disks and the monitor die; then fewer by disk, which is turned back in the middle. Writes
// go on by what was promised before, no group ever has less than that, and what is promised anew is there before it is.

import type { OsdId } from '../../base/ids.ts';
import {
  activeLayout,
  type DomainLevel,
  domainOf,
  findOsd,
  findPool,
  type Layout,
} from '../../map/cluster-map.ts';
import { copies, formatGeometry, type Geometry } from '../../map/geometry.ts';
import { type PgRecord, slotsIn } from '../../map/pg-record.ts';
import { IndexStage } from '../index-stage.ts';
import { tell } from '../recording.ts';
import type { Stage } from '../stage.ts';

const hosts = ['a', 'a', 'a', 'a', 'b', 'c'];

class Story extends IndexStage {
  constructor() {
    // Five groups: in which order they become clean is not told.
    super(hosts, { geometry: copies(2, 1), failureDomain: 'osd', pgCount: 5 });
  }

  change(geometry: Geometry, failureDomain: DomainLevel): Promise<void> {
    tell(this.cluster, `${formatGeometry(geometry)} by ${failureDomain} is asked for`);
    const rule = { failureDomain, deviceClass: undefined };
    return this.cluster.settle(
      this.cluster.monitor.pools.setPoolLayout('.index', { geometry, rule }),
      'the change',
    );
  }

  get layout(): Layout {
    const pool = findPool(this.cluster.monitor.map, '.index');
    if (pool === undefined) throw new Error('there is an index');
    return activeLayout(pool);
  }

  promises(geometry: Geometry, failureDomain: DomainLevel): void {
    const { layout } = this;
    const is = `${formatGeometry(layout.geometry)} by ${layout.rule.failureDomain}`;
    this.expect(is === `${formatGeometry(geometry)} by ${failureDomain}`, `${is} is promised`);
  }

  get groups(): readonly PgRecord[] {
    return [...this.cluster.monitor.records.values()];
  }

  /** Where something is to come to, and nothing is: the disk of most such groups. */
  get arrival(): OsdId {
    const coming = this.groups.flatMap(({ target, slots }) =>
      target.filter((osd) => !slots.some((slot) => slot.osd === osd && slot.state === 'in-sync')),
    );
    const [most] = [...new Set(coming)].sort(
      (a, b) =>
        coming.filter((osd) => osd === b).length - coming.filter((osd) => osd === a).length ||
        a - b,
    );
    if (most === undefined) throw new Error('something is to move');
    return most;
  }

  async untilKept(): Promise<void> {
    const isKept = (): boolean => this.layout.next === undefined;
    await this.cluster.until('the change to be kept', isKept, 300_000);
    await this.cluster.untilClean(200_000);
  }

  hostsOf(record: PgRecord): number {
    const { map } = this.cluster.monitor;
    const names = slotsIn(record, 'in-sync').map(({ osd }) => {
      const entry = findOsd(map, osd);
      return entry === undefined ? '' : domainOf(entry, 'host');
    });
    return new Set(names).size;
  }
}

export async function changeInPlace(): Promise<void> {
  const stage = new Story();
  const { cluster } = stage;
  await stage.begin();
  stage.expect(
    stage.groups.some((record) => stage.hostsOf(record) === 1),
    'some group has all it has on one host',
  );
  let isOver = false;
  const load = stage.load(() => isOver);
  // Looked at below; until then it must not be nobody's.
  load.catch(() => {});

  // The other hosts are not there yet when the change is asked for, so that it can't end; nobody waits for it.
  await stage.run(3000);
  cluster.killOsd(4);
  cluster.killOsd(5);
  await cluster.until('them to be missed', () => downCount(stage) === 2, 30_000);
  await stage.change(copies(3, 2), 'host');
  await stage.write('on one host');
  await stage.run(5000);
  stage.promises(copies(2, 1), 'osd');

  // The monitor dies in the middle, and a disk while nobody can elect; then everybody comes.
  cluster.killMonitor({ power: true });
  await stage.run(1000);
  await cluster.startMonitor();
  await cluster.startOsd(4);
  await stage.run(8000);
  await stage.restart(cluster.osds[0] ?? stage.primary);
  await stage.write('on the way');
  await cluster.startOsd(5);
  await stage.untilKept();
  stage.promises(copies(3, 2), 'host');
  stage.expect(
    stage.groups.every((record) => stage.hostsOf(record) === 3),
    'every group is on three hosts',
  );
  await stage.read('on the way');

  // What is promised anew holds.
  cluster.killOsd(4);
  await stage.write('with a host away');
  await cluster.startOsd(4);
  await cluster.untilClean(200_000);

  // By disk again, and another number of copies: one that is to take some is away, and then it is turned back.
  await stage.run(3000);
  await stage.change(copies(4, 2), 'osd');
  cluster.killOsd(stage.arrival);
  await stage.run(12_000);
  await stage.write('with a disk away');
  stage.promises(copies(3, 2), 'host');
  await cluster.settle(cluster.monitor.pools.revertPool('.index'), 'turning it back');
  tell(cluster, 'it is turned back');
  for (const { id, osd } of cluster.osds) if (osd === undefined) await cluster.startOsd(id);
  await stage.untilKept();
  stage.promises(copies(3, 2), 'host');
  stage.expect(
    stage.groups.every((record) => stage.hostsOf(record) === 3),
    'every group is on three hosts still',
  );

  // Fewer, with one away that has some: those that are there stay.
  await stage.run(3000);
  await stage.change(copies(3, 2), 'osd');
  cluster.killOsd(5);
  await cluster.until('it to be missed', () => downCount(stage) === 1, 30_000);
  await stage.change(copies(2, 1), 'osd');
  await stage.untilKept();
  stage.promises(copies(2, 1), 'osd');
  await stage.write('last');
  await cluster.startOsd(5);
  await cluster.untilClean(200_000);
  isOver = true;
  await cluster.settle(load, 'the load to end');
  await stage.read('last');
  await stage.compare();
  stage.end();
}

function downCount(stage: Stage): number {
  return stage.cluster.monitor.map.osds.filter(({ up }) => !up).length;
}
