// The commands about buckets: which there are, how their indexes are cut, and whether those are right.

import { type Command, Option } from 'commander';
import type { RemovedBucket } from '../admin/buckets.ts';
import { countOf } from '../admin/health.ts';
import type {
  BucketCheckView,
  BucketStatsView,
  BucketView,
  ShardView,
  TrashedBucketView,
} from '../admin/views.ts';
import type { AdminClient } from './admin-client.ts';
import {
  type CommonFlags,
  type Decorate,
  type DecorateWaiting,
  type LossFlags,
  print,
  until,
  type WaitFlags,
  withAdmin,
} from './command-tools.ts';
import { Progress } from './progress.ts';
import { formatBytes, formatTable } from './text.ts';
import { parseWhole } from './values.ts';

const entriesDefault = 100_000;

export function addBucketCommands(
  bucket: Command,
  common: Decorate,
  waiting: DecorateWaiting,
): void {
  common(bucket.command('ls').description('list all buckets')).action((flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      const buckets = await listAll(admin);
      print(flags, { buckets }, () => showBuckets(buckets));
    }),
  );
  common(
    bucket
      .command('stats')
      .description('what a bucket holds, and in which shards its index is')
      .argument('<name>'),
  ).action((name: string, flags: CommonFlags) =>
    withAdmin(flags, async (admin) => print(flags, await statsOf(admin, name), showStats)),
  );
  common(
    bucket
      .command('check')
      .description('count the rows of an index and compare; exact while nothing is written')
      .argument('<name>'),
  ).action((name: string, flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      const checked = await check(admin, name, flags);
      print(flags, checked, showChecked);
      if (checked.faults.length > 0) process.exitCode = 1;
    }),
  );
  addReshard(bucket, waiting);
  addTrashCommands(bucket, common);
  common(
    bucket
      .command('reopen')
      .description('open what was lost of an index with its placement group again, empty')
      .argument('<name>'),
  ).action((name: string, flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      const answer = await admin.post<{ opened: readonly string[] }>(pathOf(name, 'reopen'), {});
      print(flags, answer, ({ opened }) =>
        opened.length === 0
          ? `bucket ${name} lost nothing of its index\n`
          : opened.map((shard) => `${shard} is open again, and empty\n`).join(''),
      );
    }),
  );
}

interface RemoveFlags extends LossFlags {
  readonly force: boolean;
}

function addTrashCommands(bucket: Command, common: Decorate): void {
  common(
    bucket
      .command('rm')
      .description('remove a bucket; it waits in a trash for a day (config: bucket_trash_hours)')
      .argument('<name>'),
  )
    .option('--force', 'with everything in it', false)
    .option('--accept-loss <token>', 'the token of the list of what would be lost')
    .action((name: string, flags: RemoveFlags) =>
      withAdmin(flags, async (admin) => {
        const answer = await admin.post<RemovedBucket>(pathOf(name, 'remove'), {
          all: flags.force,
          acceptLoss: flags.acceptLoss,
        });
        print(flags, answer, ({ trashHours }) =>
          trashHours === 0
            ? `bucket ${name} removed\n`
            : `bucket ${name} removed; for ${trashHours} hours it can be brought back: holdfast bucket restore ${name}\n`,
        );
      }),
    );
  common(
    bucket
      .command('restore')
      .description('take a bucket out of the trash with everything in it; the one removed last')
      .argument('<name>', 'its name, or ~ID as `bucket trash` shows it'),
  )
    .option('--as <name>', 'under another name')
    .action((name: string, flags: CommonFlags & { readonly as?: string }) =>
      withAdmin(flags, async (admin) => {
        const path = pathOf(name, 'restore');
        const answer = await admin.post<{ name: string }>(path, { as: flags.as });
        print(flags, answer, (restored) => `bucket ${restored.name} is back\n`);
      }),
    );
  common(bucket.command('trash').description('removed buckets that can be brought back')).action(
    (flags: CommonFlags) =>
      withAdmin(flags, async (admin) => {
        const answer = await admin.get<{ buckets: readonly TrashedBucketView[] }>(
          '/v1/buckets-trash',
        );
        print(flags, answer, ({ buckets }) =>
          formatTable(
            [{ title: 'BUCKET' }, { title: 'ID' }, { title: 'REMOVED' }, { title: 'EMPTIED FROM' }],
            buckets.map(({ name, bucketId, removedMs, purgeMs }) => [
              name,
              `~${bucketId}`,
              new Date(removedMs).toISOString(),
              new Date(purgeMs).toISOString(),
            ]),
          ),
        );
      }),
  );
}

interface ReshardFlags extends WaitFlags {
  readonly entries: number;
}

function addReshard(bucket: Command, waiting: DecorateWaiting): void {
  waiting(
    bucket
      .command('reshard')
      .description('split the large shards of an index now, while it is used')
      .argument('<name>'),
    'until nothing of it is being split',
  )
    .addOption(
      new Option('--entries <count>', 'split shards of at least so many entries')
        .argParser(parseWhole(2, 10_000_000))
        .default(entriesDefault),
    )
    .action((name: string, flags: ReshardFlags) =>
      withAdmin(flags, async (admin) => {
        const { entries } = flags;
        const { begun } = await admin.post<{ begun: number }>(pathOf(name, 'reshard'), { entries });
        if (flags.wait === true) await untilSplit(admin, name, flags);
        const stats = await statsOf(admin, name);
        const words = begun === 0 ? `no shard has ${entries} entries\n` : `${splitting(begun)}\n`;
        print(flags, { begun, ...stats }, (answer) => words + showStats(answer));
      }),
    );
}

function splitting(count: number): string {
  return `${countOf(count, 'shard')} being split`;
}

function pathOf(bucket: string, command?: string): string {
  const path = `/v1/buckets/${encodeURIComponent(bucket)}`;
  return command === undefined ? path : `${path}/${command}`;
}

function statsOf(admin: AdminClient, name: string): Promise<BucketStatsView> {
  return admin.get<BucketStatsView>(pathOf(name));
}

async function listAll(admin: AdminClient): Promise<readonly BucketView[]> {
  const all: BucketView[] = [];
  while (true) {
    const after = encodeURIComponent(all.at(-1)?.name ?? '');
    const { buckets } = await admin.get<{ buckets: readonly BucketView[] }>(
      `/v1/buckets?after=${after}`,
    );
    if (buckets.length === 0) return all;
    all.push(...buckets);
  }
}

async function untilSplit(admin: AdminClient, name: string, flags: WaitFlags): Promise<void> {
  const progress = new Progress('split', { quiet: flags.json });
  await until(flags, `the index of ${name} to be split`, async () => {
    const { shards } = await statsOf(admin, name);
    const left = shards.filter(({ splitsInto }) => splitsInto !== null);
    const [first] = left;
    const words = first === undefined ? '' : wordsOfSplit(shards, first);
    progress.show(shards.length - left.length, shards.length, words);
    return left.length === 0 ? true : undefined;
  });
  progress.end();
}

function wordsOfSplit(shards: readonly ShardView[], source: ShardView): string {
  const target = shards.find(({ object }) => object === source.splitsInto);
  return `(${source.entries} and ${target?.entries ?? 0} entries)`;
}

interface Checked {
  readonly name: string;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly blobs: number;
  readonly shards: number;
  readonly faults: readonly string[];
}

async function check(admin: AdminClient, name: string, flags: CommonFlags): Promise<Checked> {
  const stats = await statsOf(admin, name);
  const faults: string[] = [];
  const total = { rows: 0, sizeBytes: 0, blobs: 0 };
  const progress = new Progress('rows', { quiet: flags.json });
  for (const shard of stats.shards) {
    const { object } = shard;
    const found = { rows: 0, sizeBytes: 0, blobs: 0, unreadable: 0, outside: 0 };
    let after: string | null = '';
    while (after !== null) {
      const piece: BucketCheckView = await admin.post<BucketCheckView>(pathOf(name, 'check'), {
        shard: object,
        after,
      });
      for (const field of ['rows', 'sizeBytes', 'blobs', 'unreadable', 'outside'] as const)
        found[field] += piece[field];
      after = piece.next;
      progress.show(total.rows + found.rows, stats.entries, '');
    }
    for (const field of ['rows', 'sizeBytes', 'blobs'] as const) total[field] += found[field];
    faults.push(...faultsOf(shard, found).map((fault) => `${object}: ${fault}`));
  }
  progress.end();
  return { name, ...total, shards: stats.shards.length, faults };
}

function faultsOf(shard: ShardView, found: Omit<BucketCheckView, 'next'>): readonly string[] {
  const faults = [...shard.faults];
  if (shard.counted && found.rows !== shard.entries)
    faults.push(`it counts ${shard.entries} entries and has ${found.rows}`);
  if (shard.counted && found.rows === shard.entries && found.sizeBytes !== shard.sizeBytes)
    faults.push(`it counts ${shard.sizeBytes} bytes and has ${found.sizeBytes}`);
  if (found.unreadable > 0) faults.push(`${countOf(found.unreadable, 'row')} can't be read`);
  if (found.outside > 0)
    faults.push(`${countOf(found.outside, 'row')} of keys that it does not answer for`);
  return faults;
}

function showBuckets(buckets: readonly BucketView[]): string {
  return formatTable(
    [
      { title: 'BUCKET' },
      { title: 'OWNER' },
      { title: 'CREATED' },
      { title: 'SHARDS', align: 'right' },
    ],
    buckets.map(({ name, owner, createdMs, shards }) => [
      name,
      owner,
      new Date(createdMs).toISOString(),
      String(shards),
    ]),
  );
}

function showStats({ name, bucketId, owner, entries, sizeBytes, shards }: BucketStatsView): string {
  const head = `bucket ${name} (${bucketId}) of ${owner}: ${entries} entries, ${formatBytes(sizeBytes)}, ${countOf(shards.length, 'shard')}\n`;
  const table = formatTable(
    [
      { title: 'SHARD' },
      { title: 'ENTRIES', align: 'right' },
      { title: 'SIZE', align: 'right' },
      { title: 'FIRST KEY' },
      { title: '' },
    ],
    shards.map((shard) => [
      shard.object,
      String(shard.entries),
      formatBytes(shard.sizeBytes),
      shard.beginKey === null ? 'none yet' : JSON.stringify(shard.beginKey.slice(0, 60)),
      [
        ...(shard.splitsInto === null ? [] : [`goes on in ${shard.splitsInto}`]),
        ...(shard.counted ? [] : ['not counted yet']),
        ...shard.faults,
      ].join(', '),
    ]),
  );
  return head + table;
}

function showChecked({ name, rows, sizeBytes, blobs, shards, faults }: Checked): string {
  const summary = `bucket ${name}: ${rows} entries, ${formatBytes(sizeBytes)}, ${countOf(blobs, 'blob')} referred to, ${countOf(shards, 'shard')}`;
  if (faults.length === 0) return `${summary}: everything agrees\n`;
  return `${summary}\n${faults.map((fault) => `  ${fault}\n`).join('')}`;
}
