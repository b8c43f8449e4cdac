// Who leads a placement group is the monitor's to say (docs/decisions/0027). A peer that says to lead by a record that the
// monitor never gave is refused while the monitor answers, and overruled once it answers again; one that says the truth
// while no monitor is there is believed, and what it said stays.

import { encodeUtf8 } from '../../base/bytes.ts';
import { encode } from '../../base/codec.ts';
import type { PgId, Uuid } from '../../base/ids.ts';
import type { ClusterClient } from '../../client/cluster-client.ts';
import { copies } from '../../map/geometry.ts';
import { type PgRecord, slotOf } from '../../map/pg-record.ts';
import { describeError } from '../../net/session.ts';
import { logEntryCodec, zeroVersion } from '../../wire/entry.ts';
import type { Message } from '../../wire/messages.ts';
import { tell } from '../recording.ts';
import type { SimulatedOsd } from '../simulated-cluster.ts';
import { Stage, watched } from '../stage.ts';

/** Three disks that hold every group, each of which leads one. */
function newStage(): Stage {
  return new Stage(3, copies(3, 2), false, undefined, 3);
}

/** What `liar` says to another; answered with the kind of the answer, or the code of a failure. */
async function say(stage: Stage, liar: SimulatedOsd, to: SimulatedOsd, message: Message) {
  const [any] = [...(liar.osd?.primaries ?? [])];
  const session = any?.world.peers.session(to.uuid);
  if (session === undefined) throw new Error(`osd.${liar.id} leads nothing`);
  const asked = session
    .then((open) => open.request({ message }, 4000))
    .then(
      ({ message: answer }) => (answer.kind === 'failure' ? answer.code : answer.kind),
      (error: unknown) => describeError(error),
    );
  return stage.cluster.settle(asked, `${message.kind} of a liar`);
}

/** Each leads by what the monitor never said. */
function lies(record: PgRecord, liar: Uuid): readonly PgRecord[] {
  const { tenure, version } = record;
  const led = { ...record, primary: liar };
  return [
    { ...led, tenure: tenure + 1000, version: version + 1000 },
    { ...led, tenure: tenure + 1, version: version + 1 },
    { ...led, version: version + 1 },
    led,
  ];
}

/** Of the group that the row is in. */
function parts(stage: Stage, client: ClusterClient) {
  const { cluster } = stage;
  const pg = client.pgOfObject('.index', 'object') as PgId;
  const record = cluster.monitor.records.get(pg) as PgRecord;
  const lead = stage.leadOf(pg);
  const [liar, member] = cluster.osds.filter((osd) => osd !== lead) as [SimulatedOsd, SimulatedOsd];
  return { pg, record, lead, liar, member };
}

async function refusedWhileItAnswers(): Promise<void> {
  const stage = newStage();
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const { pg, record, lead, liar, member } = parts(stage, client);
  for (const lie of lies(record, liar.uuid))
    for (const to of [lead, member]) {
      const answer = await say(stage, liar, to, { kind: 'collect', record: lie });
      stage.expect(answer === 'stale', `osd.${to.id} answered ${answer}`);
      stage.expect(lead.osd?.primaryOf(pg)?.isServing === true, 'it goes on');
    }
  tell(cluster, `osd.${liar.id} says in vain that it leads`);
  await stage.set(client, 'k=2');
  stage.expect(cluster.monitor.records.get(pg) === record, 'nothing came of it');
  await stage.compare();
  stage.end();
}

/** `then`: what happens before the monitor is back. */
async function overruledWhenItIsBack(
  then: (stage: Stage, liar: SimulatedOsd, member: SimulatedOsd, lie: PgRecord) => Promise<void>,
): Promise<void> {
  const stage = newStage();
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  await stage.set(client, 'kept=true');
  const { pg, record, lead, liar, member } = parts(stage, client);
  cluster.killMonitor({ power: false });
  const [lie] = lies(record, liar.uuid) as [PgRecord];
  for (const to of [lead, member]) {
    const answer = await say(stage, liar, to, { kind: 'collect', record: lie });
    stage.expect(answer === 'collected', `osd.${to.id} answered ${answer}`);
  }
  tell(cluster, `osd.${liar.id} says that it leads, and is believed for now`);
  await then(stage, liar, member, lie);
  const write = watched(stage.row(client, 'k=2'));
  await stage.run(3000);
  stage.expect(!write.isDone(), 'who says to lead is believed while no monitor is there');
  await cluster.startMonitor();
  await cluster.until('the group to serve', () => write.isDone(), 20_000);
  await cluster.untilClean();
  const after = cluster.monitor.records.get(pg) as PgRecord;
  stage.expect(after.tenure < lie.tenure, 'the tenure of the lie was never reached');
  stage.expect((await stage.set(client, 'k')) === '2', 'the last value is read');
  stage.expect((await stage.set(client, 'kept')) === 'true', 'no entry of the liar is read');
  await stage.restart(member);
  await cluster.untilClean();
  await stage.compare();
  stage.end();
}

/** An entry that nobody ordered is in the log of a member: that disk is filled anew. */
async function entryOfALiar(
  stage: Stage,
  liar: SimulatedOsd,
  member: SimulatedOsd,
  { pg, tenure }: PgRecord,
): Promise<void> {
  const head = member.osd?.memberOf(pg)?.disk.head ?? zeroVersion;
  const entry = encode(logEntryCodec, {
    version: { tenure, sequence: head.sequence + 1 },
    previous: head,
    request: undefined,
    result: new Uint8Array(0),
    effect: {
      kind: 'rows',
      object: 'object',
      effects: [{ kind: 'put', key: encodeUtf8('kept'), value: encodeUtf8('forged') }],
    },
  });
  const message: Message = {
    kind: 'append',
    pg,
    tenure,
    committed: 0,
    entry,
    shard: 'none',
    index: 0,
  };
  const answer = await say(stage, liar, member, message);
  stage.expect(answer === 'appended', `the liar's entry was answered ${answer}`);
}

/** A member hears of a true record from its primary alone, and the monitor is away, or has an older store. */
async function trueWithoutIt(kind: 'away' | 'older store'): Promise<void> {
  const stage = newStage();
  const { cluster } = stage;
  const client = await stage.start();
  await stage.set(client, 'k=1');
  const { pg, lead, liar, member } = parts(stage, client);
  const older = cluster.copyMapStore();
  stage.part(`osd.${member.id}`, ['mon']);
  await stage.restart(lead);
  await cluster.until(
    'the group to serve',
    () => stage.leadOf(pg).osd?.primaryOf(pg)?.isServing === true,
    20_000,
  );
  const now = stage.leadOf(pg);
  const record = now.osd?.primaryOf(pg)?.record as PgRecord;
  cluster.killMonitor({ power: false });
  const isInSync = (): boolean => {
    const known = now.osd?.primaryOf(pg)?.record;
    return known !== undefined && slotOf(known, member.uuid)?.state === 'in-sync';
  };
  stage.expect(slotOf(record, member.uuid)?.state === 'in-sync', 'the member takes part');
  await stage.set(client, 'k=2');
  cluster.network.heal();
  // The connection begins anew: the same record is told again.
  cluster.network.reset(`osd.${now.id}`, `osd.${member.id}`);
  await stage.run(8000);
  stage.expect((await stage.set(client, 'k=3')) === '2', 'it goes on without a monitor');
  if (kind === 'older store') {
    tell(cluster, 'the monitor gets an older store');
    cluster.putMapStore(older);
    // Without its word the store stays as it is.
    cluster.killOsd(liar.id);
    await cluster.startMonitor();
    await stage.run(5000);
    stage.expect(cluster.monitor.frozen !== undefined, 'it is noticed');
    await cluster.startOsd(liar.id);
  } else await cluster.startMonitor();
  await stage.set(client, 'k=4');
  await stage.run(3000);
  stage.expect(isInSync(), 'what was true stands');
  stage.expect((await stage.set(client, 'k=5')) === '4', 'it still goes on');
  await cluster.untilClean();
  const overruled = cluster.logged.get('record of a peer overruled') ?? 0;
  stage.expect(overruled === 0, `${overruled} true records were overruled`);
  await stage.compare();
  // An older store takes back what it said.
  if (kind === 'away') stage.end();
  else stage.expect(cluster.failures.length === 0, cluster.failures.join('\n'));
}

export async function wordOfTheMonitor(): Promise<void> {
  await refusedWhileItAnswers();
  await overruledWhenItIsBack(async () => {});
  await overruledWhenItIsBack((stage, _, member) => stage.restart(member));
  await overruledWhenItIsBack(entryOfALiar);
  await trueWithoutIt('away');
  await trueWithoutIt('older store');
}
