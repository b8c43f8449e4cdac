// `npm run differential -- --against URL --against-keys ACCESS:SECRET`: random sequences of S3 operations, in families, sent to
// Holdfast and to another service, and their answers compared field by field. What differs is shown once for each kind with
// an example; kinds that docs/reference/s3-differences.md explains are counted only. By hand: the other service must
// be running. Exit 1 when something differs that is not explained.

import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { ClusterProcess } from './cluster-process.ts';
import { encryption } from './differential/families/encryption.ts';
import { forms } from './differential/families/forms.ts';
import { logging } from './differential/families/logging.ts';
import { notifications } from './differential/families/notifications.ts';
import { objectLock } from './differential/families/object-lock.ts';
import { objects } from './differential/families/objects.ts';
import { quotas } from './differential/families/quotas.ts';
import { requestPayment } from './differential/families/request-payment.ts';
import { sessions } from './differential/families/sessions.ts';
import { users } from './differential/families/users.ts';
import { websites } from './differential/families/websites.ts';
import { Findings } from './differential/findings.ts';
import { setQuotaByRadosgw } from './differential/radosgw-admin.ts';
import { runSequence } from './differential/run-sequence.ts';
import type { Family } from './differential/sequence.ts';
import { parseKeys, Side, type SideOptions } from './differential/side.ts';
import { Webhooks } from './differential/webhooks.ts';

const families: readonly Family[] = [
  ...[objects, encryption, objectLock, websites, forms, users],
  ...[sessions, requestPayment, logging, notifications, quotas],
];

/** What a family needs beside two services and their user `main`. */
const needs: Readonly<Record<string, (side: Side) => boolean>> = {
  users: (side) => side.users.length > 1,
  sessions: (side) => side.users.length > 1,
  'request-payment': (side) => side.users.length > 1,
  logging: (side) => side.users.length > 1,
  websites: (side) => side.websiteName !== undefined,
  quotas: (side) => side.users.length > 1 && side.canSetQuotas,
};

interface Flags {
  readonly against: string;
  readonly againstKeys: string;
  readonly againstAltKeys?: string;
  readonly againstWebsites?: string;
  readonly againstAdmin: boolean;
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

const requestMs = 60_000;

/** Of a cluster of its own. */
const websiteName = 'websites.test';
const gatewaySettings = `
gateway:
  kmsKeys: [testkey-1, testkey-2]
  websiteNames: [${websiteName}]
  webhooks: 'any'
  loggingRollSeconds: 1
`;

/** A cluster with what the families need, and its users `main` and `alt`. */
async function startCluster(data: string, webhook: string): Promise<[ClusterProcess, SideOptions]> {
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
  const token = readFileSync(join(data, 'keys', 'admin-token'), 'utf8').trim();
  const setQuota: SideOptions['setQuota'] = async (_, { kind, name, bytes, objects: count }) => {
    const answer = await fetch(`${cluster.ready.admin}/v1/quotas`, {
      ...{ method: 'POST', signal: AbortSignal.timeout(requestMs) },
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ kind, name, bytes, objects: count }),
    });
    if (!answer.ok) throw new Error(`quota of ${name}: ${await answer.text()}`);
  };
  const url = cluster.ready.s3;
  return [cluster, { url, main, alt, websiteName, webhook, setQuota }];
}

interface Service {
  readonly url: string;
  readonly keys: string;
  readonly altKeys: string | undefined;
  readonly websites: string | undefined;
}

function optionsOf({
  url,
  keys,
  altKeys,
  websites,
}: Service): Omit<SideOptions, 'webhook' | 'setQuota'> {
  return {
    ...{ url, main: parseKeys(keys), websiteName: websites },
    alt: altKeys === undefined ? undefined : parseKeys(altKeys),
  };
}

/** Those that were asked for, and can be run. */
function chosenFamilies({ families: names }: Flags, sides: readonly Side[]): readonly Family[] {
  const known = families.map(({ name }) => name);
  const asked = names?.split(',') ?? known;
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`--families: ${unknown.join(', ')}: there are ${known.join(', ')}`);
  const isOpen = (name: string): boolean => sides.every(needs[name] ?? (() => true));
  for (const name of asked.filter((each) => !isOpen(each)))
    console.log(
      `${name}: left out, --against-alt-keys, --against-websites or --against-admin is missing`,
    );
  return families.filter(({ name }) => asked.includes(name) && isOpen(name));
}

async function holdfastOf(
  flags: Flags,
  data: string,
  webhooks: Webhooks,
): Promise<readonly [ClusterProcess | undefined, SideOptions]> {
  const webhook = webhooks.urlOf('holdfast');
  const { holdfast: url } = flags;
  if (url === undefined) return startCluster(data, webhook);
  const service = {
    ...{ url, keys: flags.holdfastKeys ?? '', altKeys: flags.holdfastAltKeys },
    websites: flags.holdfastWebsites,
  };
  return [undefined, { ...optionsOf(service), webhook, setQuota: undefined }];
}

async function main(flags: Flags): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-differential-'));
  const webhooks = await Webhooks.start();
  const [cluster, options] = await holdfastOf(flags, join(folder, 'data'), webhooks);
  const holdfast = new Side(options);
  const peer = new Side({
    ...optionsOf({
      ...{ url: flags.against, keys: flags.againstKeys },
      ...{ altKeys: flags.againstAltKeys, websites: flags.againstWebsites },
    }),
    webhook: webhooks.urlOf('peer'),
    setQuota: flags.againstAdmin ? setQuotaByRadosgw : undefined,
  });
  const findings = new Findings();
  const run = Date.now().toString(36);
  const begun = performance.now();
  try {
    const chosen = chosenFamilies(flags, [holdfast, peer]);
    for (let index = 0; index < Number(flags.count); index++)
      for (const family of chosen)
        await runSequence(
          { holdfast, peer, findings, webhooks, show: flags.show },
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
    webhooks.close();
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  process.exitCode = findings.isExplained ? 0 : 1;
}

await new Command('differential')
  .requiredOption('--against <url>', 'the other service')
  .requiredOption('--against-keys <access:secret>', 'of its user `main`')
  .option('--against-alt-keys <access:secret>', 'of its user `alt`: for families of two users')
  .option('--against-websites <name>', 'BUCKET.NAME is the bucket’s website: for `websites`')
  .option('--against-admin', '`main` may set quotas by radosgw’s admin operations', false)
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
