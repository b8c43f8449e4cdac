// `npm run differential -- --against URL --against-keys ACCESS:SECRET`: random sequences of S3 operations sent to Holdfast
// and to another service, and their answers compared field by field. What differs is shown once for each kind with
// an example; kinds that docs/reference/s3-differences.md explains are counted only. By hand: the other service must
// be running. Exit 1 when something differs that is not explained.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { Choice } from '../s3/testing/fuzz/choice.ts';
import { ClusterProcess } from './cluster-process.ts';
import { compare, type Difference } from './differential/compare.ts';
import { explanationOf } from './differential/known-differences.ts';
import { Sequence } from './differential/sequence.ts';
import { type Answer, Side, type Step } from './differential/side.ts';

interface Flags {
  readonly against: string;
  readonly againstKeys: string;
  readonly holdfast?: string;
  readonly holdfastKeys?: string;
  readonly seed: string;
  readonly count: string;
  readonly steps: string;
}

interface Kind {
  readonly example: string;
  count: number;
}

class Findings {
  readonly unexplained = new Map<string, Kind>();
  readonly explained = new Map<string, number>();
  steps = 0;

  add(step: Step, difference: Difference, seed: number): void {
    const explanation = explanationOf(step, difference);
    if (explanation !== undefined) {
      this.explained.set(explanation, (this.explained.get(explanation) ?? 0) + 1);
      return;
    }
    const { field, holdfast, peer } = difference;
    const isNamed = /^(status|code)$/.test(field);
    const kind = `${step.action} ${field}${isNamed ? `: ${holdfast} and ${peer}` : ''}`;
    const known = this.unexplained.get(kind);
    if (known !== undefined) known.count++;
    else this.unexplained.set(kind, { count: 1, example: describe(step, difference, seed) });
  }
}

function describe(step: Step, { field, holdfast, peer }: Difference, seed: number): string {
  const query = new URLSearchParams(step.query).toString();
  const body = typeof step.body === 'string' ? ` ${step.body.slice(0, 200)}` : '';
  const headers = JSON.stringify(step.headers ?? {});
  return `seed ${seed}, ${step.name}: ${step.method} ${step.path}?${query} ${headers}${body}\n    ${field}: here ${holdfast.slice(0, 200)}, there ${peer.slice(0, 200)}`;
}

/** Deletes what a sequence left, on one side. */
async function empty(side: Side, bucket: string): Promise<void> {
  const path = `/${bucket}`;
  const ask = async (
    method: string,
    at: string,
    query: Record<string, string>,
  ): Promise<string> => {
    const { body } = await side.send({ action: 'x', method, path: at, query, name: 'x' });
    return Buffer.from(body).toString();
  };
  const uploads = await ask('GET', path, { uploads: '' });
  for (const [, key = '', id = ''] of uploads.matchAll(
    /<Upload>.*?<Key>(.*?)<\/Key>.*?<UploadId>(.*?)<\/UploadId>/gs,
  ))
    await ask('DELETE', `${path}/${key}`, { uploadId: id });
  const versions = await ask('GET', path, { versions: '' });
  for (const [, , inner = ''] of versions.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)) {
    const key = /<Key>(.*?)<\/Key>/s.exec(inner)?.[1] ?? '';
    await ask('DELETE', `${path}/${key}`, {
      versionId: /<VersionId>(.*?)</.exec(inner)?.[1] ?? 'null',
    });
  }
  await ask('DELETE', path, {});
}

async function runSequence(
  holdfast: Side,
  peer: Side,
  findings: Findings,
  options: { readonly seed: number; readonly steps: number },
): Promise<void> {
  const { seed, steps } = options;
  const sequence = new Sequence(new Choice(seed), `differential-${seed}`);
  const both = async (step: Step): Promise<boolean> => {
    const [ours, theirs] = await Promise.all([holdfast.send(step), peer.send(step)]);
    findings.steps++;
    const differences = compare(
      step,
      { side: holdfast, answer: ours },
      { side: peer, answer: theirs },
    );
    for (const each of differences) findings.add(step, each, seed);
    if (sameOutcome(ours, theirs)) {
      const hasVersion = [ours, theirs].every(({ headers }) => headers.has('x-amz-version-id'));
      sequence.learn(step, ours.status, ours.headers.get('etag'), hasVersion);
    }
    // From here on the two hold different things, so that all that follows would differ.
    return step.method === 'GET' || step.method === 'HEAD' || sameOutcome(ours, theirs);
  };
  try {
    let goesOn = true;
    for (const step of sequence.first()) goesOn = (await both(step)) && goesOn;
    for (let index = 0; index < steps && goesOn; index++) goesOn = await both(sequence.next());
  } finally {
    for (const side of [holdfast, peer]) {
      for (const bucket of sequence.buckets) await empty(side, bucket);
      side.forget();
    }
  }
}

function sameOutcome(a: Answer, b: Answer): boolean {
  return a.status < 300 === b.status < 300;
}

function report(findings: Findings): void {
  for (const [explanation, count] of [...findings.explained].sort())
    console.log(`${String(count).padStart(6)}  explained: ${explanation}`);
  for (const [kind, { count, example }] of [...findings.unexplained].sort())
    console.log(`${String(count).padStart(6)}  ${kind}\n    ${example}`);
  console.log(
    `${findings.steps} steps, ${findings.explained.size} kinds of differences explained, ${findings.unexplained.size} not`,
  );
}

async function main(flags: Flags): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-differential-'));
  const cluster =
    flags.holdfast === undefined ? await ClusterProcess.start(join(folder, 'data')) : undefined;
  const keys = cluster && `${cluster.ready.accessKey}:${cluster.ready.secretKey}`;
  const holdfast = new Side(
    flags.holdfast ?? cluster?.ready.s3 ?? '',
    flags.holdfastKeys ?? keys ?? '',
  );
  const peer = new Side(flags.against, flags.againstKeys);
  const findings = new Findings();
  try {
    for (let index = 0; index < Number(flags.count); index++)
      await runSequence(holdfast, peer, findings, {
        seed: Number(flags.seed) + index,
        steps: Number(flags.steps),
      });
  } finally {
    report(findings);
    holdfast.close();
    peer.close();
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  process.exitCode = findings.unexplained.size > 0 ? 1 : 0;
}

await new Command('differential')
  .requiredOption('--against <url>', 'the other service')
  .requiredOption('--against-keys <access:secret>', 'of a user there')
  .option('--holdfast <url>', 'default: a cluster of its own')
  .option('--holdfast-keys <access:secret>', 'of a user of the cluster at --holdfast')
  .option('--seed <number>', 'of the first sequence', '1')
  .option('--count <sequences>', 'how many', '50')
  .option('--steps <number>', 'of each sequence at most', '80')
  .action(main)
  .parseAsync();
