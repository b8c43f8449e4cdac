// The commands about placement groups: which there are, and how one begins again whose data are gone for good. What
// is lost is told by name, read from the indexes; the digest of all names is a part of what the operator accepts.

import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { type Command, Option } from 'commander';
import type { NamedLossPage, NamedLossView, NamesShown, PgView } from '../admin/views.ts';
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
import { CliError } from './errors.ts';
import { Progress } from './progress.ts';
import { showPgs } from './show.ts';
import { parseOneOsd } from './values.ts';

const linesShown = 20;

/** The server takes lines up to 1,500 characters; a key may have 1,024 bytes. */
const keyCharactersShown = 1100;

export function addPgCommands(pg: Command, common: Decorate, waiting: DecorateWaiting): void {
  common(pg.command('ls').description('list placement groups'))
    .option('--pool <name>', 'only those of one pool')
    .action((flags: CommonFlags & { readonly pool?: string }) =>
      withAdmin(flags, async (admin) => {
        const query = flags.pool === undefined ? '' : `?pool=${encodeURIComponent(flags.pool)}`;
        const answer = await admin.get<{ pgs: readonly PgView[] }>(`/v1/pgs${query}`);
        print(flags, answer, ({ pgs }) => showPgs(pgs, Date.now()));
      }),
    );
  common(
    pg
      .command('names')
      .description('what has data in these placement groups, by name: a line each')
      .argument('<pgs...>', 'for example 2.1.7'),
  ).action((pgs: readonly string[], flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      for await (const item of namesIn(admin, pgs))
        process.stdout.write(`${flags.json ? JSON.stringify(item) : lineOf(item)}\n`);
    }),
  );
  addBeginAgain(pg, waiting);
  common(
    pg
      .command('let-in')
      .description('start an OSD again with a placement group that was left out after crashes')
      .argument('<pg>', 'for example 2.1.7')
      .argument('<osd>', 'for example osd.3', parseOneOsd),
  ).action((name: string, osd: number, flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      const answer = await admin.post<object>('/v1/pgs/let-in', { pg: name, osds: [osd] });
      print(flags, answer, () => `osd.${osd} starts again with pg ${name}\n`);
    }),
  );
  common(
    pg
      .command('forget-loss')
      .description('what was lost is deleted or written anew: nobody is told of it any more')
      .argument('<pgs...>', 'for example 2.1.7'),
  ).action((pgs: readonly string[], flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      const answer = await admin.post<{ pgs: readonly string[] }>('/v1/pgs/forget-loss', { pgs });
      print(flags, answer, () => `forgotten: ${answer.pgs.join(' ')}\n`);
    }),
  );
}

interface BeginFlags extends WaitFlags, LossFlags {
  readonly list?: string;
}

function addBeginAgain(pg: Command, waiting: DecorateWaiting): void {
  const commands = [
    [
      'mark-lost',
      'disks are gone for good: go on with what can still be read, and give the rest up',
    ],
    ['force-create', 'disks are gone for good: begin again with nothing in it'],
  ] as const;
  for (const [name, description] of commands)
    waiting(
      pg
        .command(name)
        .description(description)
        .argument('<pgs...>', 'for example 2.1.7')
        .addOption(
          new Option('--accept-loss <token>', 'the token of the list of what would be lost'),
        )
        .option('--list <file>', 'write the names of all that has data there, a line of JSON each'),
      'until they serve',
    ).action((pgs: readonly string[], flags: BeginFlags) =>
      withAdmin(flags, async (admin) => {
        const { names, buckets } = await gatherNames(admin, pgs, flags);
        const answer = await admin.post<{ pgs: readonly string[] }>(`/v1/pgs/${name}`, {
          pgs,
          names,
          acceptLoss: flags.acceptLoss,
          acceptedBy: whoAmI(),
        });
        const isIndex = buckets.size > 0;
        if (flags.wait === true || (name === 'force-create' && isIndex))
          await untilTheyServe(admin, answer.pgs, flags);
        if (name === 'force-create')
          for (const bucket of buckets)
            await admin.post<object>(`/v1/buckets/${encodeURIComponent(bucket)}/reopen`, {});
        print(flags, { ...answer, names }, () =>
          answer.pgs.map((each) => `pg ${each} begins again\n`).join(''),
        );
      }),
    );
}

/** Who accepts a loss: as this machine knows them. */
function whoAmI(): string {
  const name = `${userInfo().username}@${hostname()}`.replace(/[^\x21-\x7e]/g, '?');
  return name.slice(0, 100);
}

async function untilTheyServe(
  admin: AdminClient,
  pgs: readonly string[],
  flags: WaitFlags,
): Promise<void> {
  const progress = new Progress('serving', { quiet: flags.json });
  await until(flags, 'the placement groups to serve', async () => {
    const { pgs: all } = await admin.get<{ pgs: readonly PgView[] }>('/v1/pgs');
    const own = all.filter(({ pg }) => pgs.includes(pg));
    const serving = own.filter((each) => each.serving).length;
    progress.show(serving, own.length, own.find((each) => !each.serving)?.waiting ?? '');
    return serving === own.length ? true : undefined;
  });
  progress.end();
}

async function* namesIn(admin: AdminClient, pgs: readonly string[]): AsyncGenerator<NamedLossView> {
  for (let after: string | null = ''; after !== null; ) {
    const page: NamedLossPage = await admin.post<NamedLossPage>('/v1/pgs/names', { pgs, after });
    yield* page.items;
    after = page.next;
  }
}

/** Nothing but the first lines is kept, however many there are. */
async function gatherNames(
  admin: AdminClient,
  pgs: readonly string[],
  flags: BeginFlags,
): Promise<{ readonly names: NamesShown; readonly buckets: ReadonlySet<string> }> {
  const hash = createHash('sha256');
  const first: string[] = [];
  const buckets = new Set<string>();
  let count = 0;
  let sizeBytes = 0;
  const file = flags.list === undefined ? undefined : openList(flags.list);
  const progress = new Progress('names', { quiet: flags.json });
  try {
    for await (const item of namesIn(admin, pgs)) {
      const line = lineOf(item);
      hash.update(line).update('\n');
      if (first.length < linesShown) first.push(line);
      if (item.kind === 'shard') buckets.add(item.bucket);
      if (file !== undefined) writeSync(file, `${JSON.stringify(item)}\n`);
      count++;
      sizeBytes += item.sizeBytes;
      if (count % 1000 === 0) progress.show(count, count, '');
    }
  } finally {
    progress.end();
    if (file !== undefined) closeSync(file);
  }
  return { names: { count, sizeBytes, digest: hash.digest('hex'), first }, buckets };
}

function openList(path: string): number {
  try {
    return openSync(path, 'w', 0o600);
  } catch (error) {
    throw new CliError(2, `--list ${path}: ${(error as Error).message}`);
  }
}

function lineOf({ kind, bucket, key, versionId, sizeBytes, reason }: NamedLossView): string {
  const shown = JSON.stringify(key.slice(0, keyCharactersShown));
  const version = versionId === 'null' ? '' : ` version ${versionId}`;
  switch (kind) {
    case 'object':
      return `${bucket} ${shown}${version} (${sizeBytes} bytes)`;
    case 'part':
      return `${bucket}: ${key} (${sizeBytes} bytes)`;
    case 'shard':
      return `${bucket}: the index itself, all keys from ${shown} on; their blobs are garbage then`;
    case 'registry':
      return 'the list of all buckets: no bucket has a name any more, and nobody can say what else is there';
    case 'unknown':
      return `${bucket} ${shown}: unknown: ${reason.slice(0, 200)}`;
  }
}
