// One sequence, sent to both services: what differs is told, and what it left is taken away again.

import { setTimeout as delay } from 'node:timers/promises';
import { Choice } from '../../s3/testing/fuzz/choice.ts';
import { compare, compareEvents } from './compare.ts';
import { describeStep, type Findings } from './findings.ts';
import { type Exchange, type Family, Sequence } from './sequence.ts';
import type { Answer, Side, Step } from './side.ts';
import type { Webhooks } from './webhooks.ts';

const reads = /^(GET|HEAD|OPTIONS)$/;

async function setQuota({ quota, pauseMs = 0 }: Step, sides: readonly Side[]): Promise<void> {
  if (quota === undefined) return;
  await Promise.all(sides.map((side) => side.setQuota(quota)));
  await delay(pauseMs);
}

/** Deletes what a sequence left, on one side. What is kept by compliance stays. */
async function empty(side: Side, bucket: string): Promise<void> {
  const path = `/${bucket}`;
  const ask = async (
    method: string,
    at: string,
    query: Record<string, string>,
    more: Partial<Step> = {},
  ): Promise<string> => {
    const { body } = await side.send({ action: 'x', method, path: at, query, name: 'x', ...more });
    return Buffer.from(body).toString();
  };
  for (const who of side.users) await ask('DELETE', path, { policy: '' }, { who });
  for (const who of side.users) {
    const uploads = await ask('GET', path, { uploads: '' }, { who });
    for (const [, key = '', id = ''] of uploads.matchAll(
      /<Upload>.*?<Key>(.*?)<\/Key>.*?<UploadId>(.*?)<\/UploadId>/gs,
    ))
      await ask('DELETE', `${path}/${key}`, { uploadId: id }, { who });
  }
  for (const who of side.users) {
    const versions = await ask('GET', path, { versions: '' }, { who });
    for (const [, , inner = ''] of versions.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)) {
      const key = /<Key>(.*?)<\/Key>/s.exec(inner)?.[1] ?? '';
      const query = { versionId: /<VersionId>(.*?)</.exec(inner)?.[1] ?? 'null' };
      const at = `${path}/${key}`;
      const headers = { 'x-amz-bypass-governance-retention': 'true' };
      if ((await ask('DELETE', at, query, { headers, who })) === '') continue;
      const off = '<LegalHold><Status>OFF</Status></LegalHold>';
      await ask('PUT', at, { ...query, 'legal-hold': '' }, { body: off, who });
      await ask('DELETE', at, query, { headers, who });
    }
    await ask('DELETE', path, {}, { who });
  }
}

export interface Run {
  readonly holdfast: Side;
  readonly peer: Side;
  readonly findings: Findings;
  readonly webhooks: Webhooks;
  readonly show: boolean;
}

export interface Order {
  readonly family: Family;
  readonly seed: number;
  readonly steps: number;
  /** Makes names of buckets new: what is locked can't be taken away. */
  readonly run: string;
}

export async function runSequence(
  { holdfast, peer, findings, webhooks, show }: Run,
  order: Order,
): Promise<void> {
  const { family, seed, steps, run } = order;
  const choice = new Choice(seed);
  const sequence = new Sequence(choice, `differential-${run}-${seed}`, family);
  const exchanges: Exchange[] = [];
  webhooks.discard();
  const both = async (step: Step): Promise<boolean> => {
    if (step.quota !== undefined) {
      await setQuota(step, [holdfast, peer]);
      if (show) console.log(`        ${describeStep(step)}`);
      return true;
    }
    const [ours, theirs] = await Promise.all([holdfast.send(step), peer.send(step)]);
    const differences = compare(
      step,
      { side: holdfast, answer: ours },
      { side: peer, answer: theirs },
    );
    if (show) console.log(`${ours.status} ${theirs.status} ${describeStep(step)}`);
    findings.add({ step, seed, family: family.name }, differences);
    exchanges.push({ step, answer: ours });
    if (family.tellsWebhooks === true && !reads.test(step.method)) await compareTold(step);
    if (step.pauseMs !== undefined) await delay(step.pauseMs);
    if (sameOutcome(ours, theirs)) {
      const hasVersion = [ours, theirs].every(({ headers }) => headers.has('x-amz-version-id'));
      sequence.learn(step, { status: ours.status, etag: ours.headers.get('etag'), hasVersion });
    }
    // The two may hold different things now, so that all that follows would differ.
    const isAlike = sameOutcome(ours, theirs) && !sequence.diverges(step, ours.status);
    if (reads.test(step.method) || isAlike || sequence.isAside(step)) return true;
    const repair = sequence.repairOf(step);
    if (repair === undefined) return false;
    const repaired = await Promise.all([holdfast.send(repair), peer.send(repair)]);
    webhooks.discard();
    if (repair.pauseMs !== undefined) await delay(repair.pauseMs);
    return repaired.every(({ status }) => status < 400 || status === 404);
  };
  const compareTold = async (step: Step): Promise<void> => {
    const told = await webhooks.take();
    if (told.holdfast.length + told.peer.length === 0) return;
    const differences = compareEvents(
      { side: holdfast, told: told.holdfast },
      { side: peer, told: told.peer },
    );
    const events = { ...step, action: `Events of ${step.action}` };
    findings.add({ step: events, seed, family: family.name }, differences);
  };
  try {
    let goesOn = true;
    for (const step of sequence.first()) goesOn = (await both(step)) && goesOn;
    for (let index = 0; index < steps && goesOn; index++) goesOn = await both(sequence.next());
    for (const each of (await family.plainly?.(exchanges, holdfast)) ?? [])
      findings.add({ step: each.step, seed, family: family.name }, [
        {
          ...{ field: each.field, holdfast: each.holdfast, peer: each.documented },
          ...{ statuses: 'documented', peerHeaders: new Map() },
        },
      ]);
  } finally {
    for (const side of [holdfast, peer]) {
      for (const step of sequence.last())
        if (step.quota === undefined) await side.send(step);
        else await setQuota(step, [side]);
      for (const bucket of sequence.buckets) await empty(side, bucket);
      side.forget();
    }
  }
}

function sameOutcome(a: Answer, b: Answer): boolean {
  return a.status < 400 === b.status < 400;
}
