// `npm run differential -- --against URL --against-keys ACCESS:SECRET`: random sequences of S3 operations, in families, sent to
// Holdfast and to another service, and their answers compared field by field. What differs is shown once for each kind with
// an example; kinds that docs/reference/s3-differences.md explains are counted only. By hand: the other service must
// be running. Exit 1 when something differs that is not explained.

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { Choice } from '../s3/testing/fuzz/choice.ts';
import { ClusterProcess } from './cluster-process.ts';
import { compare } from './differential/compare.ts';
import { encryption } from './differential/families/encryption.ts';
import { forms } from './differential/families/forms.ts';
import { objectLock } from './differential/families/object-lock.ts';
import { objects } from './differential/families/objects.ts';
import { users } from './differential/families/users.ts';
import { websites } from './differential/families/websites.ts';
import { describeStep, Findings } from './differential/findings.ts';
import { type Family, Sequence } from './differential/sequence.ts';
import { type Answer, parseKeys, Side, type SideOptions, type Step } from './differential/side.ts';

const families: readonly Family[] = [objects, encryption, objectLock, websites, forms, users];

interface Flags {
  readonly against: string;
  readonly againstKeys: string;
  readonly againstAltKeys?: string;
  readonly againstWebsites?: string;
  readonly holdfast?: string;
  readonly holdfastKeys?: string;
  readonly holdfastAltKeys?: string;
  readonly holdfastWebsites?: string;
  readonly families?: string;
  readonly seed: string;
  readonly count: string;
  readonly steps: string;
  readonly show: boolean;
}

/** Of a cluster of its own. */
const websiteName = 'websites.test';
const gatewaySettings = `
gateway:
  kmsKeys: [testkey-1, testkey-2]
  websiteNames: [${websiteName}]
`;

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
  const uploads = await ask('GET', path, { uploads: '' });
  for (const [, key = '', id = ''] of uploads.matchAll(
    /<Upload>.*?<Key>(.*?)<\/Key>.*?<UploadId>(.*?)<\/UploadId>/gs,
  ))
    await ask('DELETE', `${path}/${key}`, { uploadId: id });
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

interface Run {
  readonly holdfast: Side;
  readonly peer: Side;
  readonly findings: Findings;
  readonly show: boolean;
}

interface Order {
  readonly family: Family;
  readonly seed: number;
  readonly steps: number;
  /** Makes names of buckets new: what is locked can't be taken away. */
  readonly run: string;
}

async function runSequence({ holdfast, peer, findings, show }: Run, order: Order): Promise<void> {
  const { family, seed, steps, run } = order;
  const choice = new Choice(seed);
  const sequence = new Sequence(choice, `differential-${run}-${seed}`, family);
  const both = async (step: Step): Promise<boolean> => {
    const [ours, theirs] = await Promise.all([holdfast.send(step), peer.send(step)]);
    const differences = compare(
      step,
      { side: holdfast, answer: ours },
      { side: peer, answer: theirs },
    );
    if (show) console.log(`${ours.status} ${theirs.status} ${describeStep(step)}`);
    findings.add({ step, seed, family: family.name }, differences);
    if (sameOutcome(ours, theirs)) {
      const hasVersion = [ours, theirs].every(({ headers }) => headers.has('x-amz-version-id'));
      sequence.learn(step, { status: ours.status, etag: ours.headers.get('etag'), hasVersion });
    }
    // The two may hold different things now, so that all that follows would differ.
    const isAlike = sameOutcome(ours, theirs) && !sequence.diverges(step, ours.status);
    if (/^(GET|HEAD|OPTIONS)$/.test(step.method) || isAlike) return true;
    const repair = sequence.repairOf(step);
    if (repair === undefined) return false;
    const repaired = await Promise.all([holdfast.send(repair), peer.send(repair)]);
    return repaired.every(({ status }) => status < 400 || status === 404);
  };
  try {
    let goesOn = true;
    for (const step of sequence.first()) goesOn = (await both(step)) && goesOn;
    for (let index = 0; index < steps && goesOn; index++) goesOn = await both(sequence.next());
  } finally {
    for (const side of [holdfast, peer]) {
      for (const step of sequence.last()) await side.send(step);
      for (const bucket of sequence.buckets) await empty(side, bucket);
      side.forget();
    }
  }
}

function sameOutcome(a: Answer, b: Answer): boolean {
  return a.status < 400 === b.status < 400;
}

/** A cluster with what the families need, and its users `main` and `alt`. */
async function startCluster(data: string): Promise<[ClusterProcess, SideOptions]> {
  // Made first, so that there is a holdfast.yaml to write into.
  await (await ClusterProcess.start(data)).stop();
  appendFileSync(join(data, 'holdfast.yaml'), gatewaySettings);
  const cluster = await ClusterProcess.start(data);
  const create = async (name: string, ...flags: string[]): Promise<SideOptions['main']> => {
    const command = ['user', 'create', name, '--email', `${name}@example.com`, ...flags, '--json'];
    return JSON.parse(await cluster.command(...command)) as SideOptions['main'];
  };
  const main = await create('main', '--user-admin');
  const alt = await create('alt');
  return [cluster, { url: cluster.ready.s3, main, alt, websiteName }];
}

function optionsOf(
  url: string,
  keys: string,
  alt: string | undefined,
  websites: string | undefined,
): SideOptions {
  const main = parseKeys(keys);
  return {
    ...{ url, main, websiteName: websites },
    alt: alt === undefined ? undefined : parseKeys(alt),
  };
}

/** Those that were asked for, and can be run. */
function chosenFamilies({ families: names }: Flags, sides: readonly Side[]): readonly Family[] {
  const known = families.map(({ name }) => name);
  const asked = names?.split(',') ?? known;
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`--families: ${unknown.join(', ')}: there are ${known.join(', ')}`);
  const isOpen = (name: string): boolean =>
    sides.every(
      ({ users: { length }, websiteName: sites }) =>
        (name !== 'users' || length > 1) && (name !== 'websites' || sites !== undefined),
    );
  for (const name of asked.filter((each) => !isOpen(each)))
    console.log(`${name}: left out, --against-alt-keys or --against-websites is missing`);
  return families.filter(({ name }) => asked.includes(name) && isOpen(name));
}

async function main(flags: Flags): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-differential-'));
  const [cluster, options] =
    flags.holdfast === undefined
      ? await startCluster(join(folder, 'data'))
      : [
          undefined,
          optionsOf(
            flags.holdfast,
            flags.holdfastKeys ?? '',
            flags.holdfastAltKeys,
            flags.holdfastWebsites,
          ),
        ];
  const holdfast = new Side(options);
  const peer = new Side(
    optionsOf(flags.against, flags.againstKeys, flags.againstAltKeys, flags.againstWebsites),
  );
  const findings = new Findings();
  const run = Date.now().toString(36);
  const begun = performance.now();
  try {
    const chosen = chosenFamilies(flags, [holdfast, peer]);
    for (let index = 0; index < Number(flags.count); index++)
      for (const family of chosen)
        await runSequence(
          { holdfast, peer, findings, show: flags.show },
          {
            ...{ family, run: `${family.name.slice(0, 8)}-${run}` },
            ...{ seed: Number(flags.seed) + index, steps: Number(flags.steps) },
          },
        );
  } finally {
    findings.report();
    console.log(`${((performance.now() - begun) / 1000).toFixed(0)} seconds`);
    holdfast.close();
    peer.close();
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  process.exitCode = findings.isExplained ? 0 : 1;
}

await new Command('differential')
  .requiredOption('--against <url>', 'the other service')
  .requiredOption('--against-keys <access:secret>', 'of its user `main`')
  .option('--against-alt-keys <access:secret>', 'of its user `alt`: for the family `users`')
  .option('--against-websites <name>', 'BUCKET.NAME is the bucket’s website: for `websites`')
  .option('--holdfast <url>', 'default: a cluster of its own')
  .option('--holdfast-keys <access:secret>', 'of the user `main` of the cluster at --holdfast')
  .option('--holdfast-alt-keys <access:secret>', 'of its user `alt`')
  .option('--holdfast-websites <name>', 'as --against-websites')
  .option('--families <names>', `of ${families.map(({ name }) => name).join(',')}; default: all`)
  .option('--seed <number>', 'of the first sequence', '1')
  .option('--count <sequences>', 'how many of each family', '50')
  .option('--steps <number>', 'of each sequence at most', '80')
  .option('--show', 'each step with both statuses', false)
  .action(main)
  .parseAsync();
