// P2: the disk of a member has another in its place; before its primary knows that it is silent, another member leaves, and
// below the write floor is put aside as one that holds everything. Who is counted on without the lost disk are too few, and
// with the one aside enough: the group goes on with both.

import { erasure } from '../../map/geometry.ts';
import { type PgRecord, slotOf, slotsIn } from '../../map/pg-record.ts';
import { Stage } from '../stage.ts';

export async function replacedBeforeOneWentAside(): Promise<void> {
  const stage = new Stage(4, erasure(2, 1), false, erasure(2, 1));
  const { cluster } = stage;
  const kept = await stage.keepBlob(await stage.start());
  const pg = stage.dataPg;
  const record = (): PgRecord => cluster.monitor.records.get(pg) as PgRecord;
  const [lost, aside] = stage.othersOf(pg);
  if (lost === undefined || aside === undefined) throw new Error('three hold it');
  const gone = lost.uuid;
  // Nobody is told that its connections are closed.
  const others = cluster.osds.filter(({ id }) => id !== lost.id).map(({ id }) => `osd.${id}`);
  stage.part(`osd.${lost.id}`, others);
  cluster.killOsd(lost.id, { power: true });
  await stage.depose(lost);
  await cluster.replaceDisk(lost.id);
  const isCountedOn = slotsIn(record(), 'in-sync').some(({ uuid }) => uuid === gone);
  stage.expect(isCountedOn, 'a disk that was replaced just now is counted on still');
  cluster.killOsd(aside.id);
  await stage.depose(aside);
  const isOver = (): boolean =>
    slotsIn(record(), 'in-sync').length === 2 && slotOf(record(), gone) === undefined;
  await cluster.until('those that hold everything to be counted on', isOver, 20_000);
  cluster.network.heal();
  await cluster.startOsd(lost.id);
  await cluster.startOsd(aside.id);
  await cluster.untilClean(200_000);
  await kept.check();
  stage.end();
}
