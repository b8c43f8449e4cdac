// The commands about pools: what they are, and how a live one comes to another layout, or changes in place.

import { type Command, Option } from 'commander';
import type { PoolView } from '../admin/views.ts';
import type { AdminClient } from './admin-client.ts';
import {
  type CommonFlags,
  type Decorate,
  type DecorateWaiting,
  type LossFlags,
  print,
  until,
  untilServing,
  type WaitFlags,
  withAdmin,
} from './command-tools.ts';
import { CliError } from './errors.ts';
import { Progress } from './progress.ts';
import { describeMigration, showPools } from './show.ts';
import { formatBytes } from './text.ts';
import { parseByteRate, parseByteSize, parseCopies, parseErasure, parseWhole } from './values.ts';

interface PoolFlags extends CommonFlags {
  readonly erasure?: string;
  readonly copies?: string;
  readonly pgs?: number;
  readonly failureDomain: string;
  readonly class?: string;
}

export function addPoolCommands(pool: Command, common: Decorate, waiting: DecorateWaiting): void {
  common(pool.command('ls').description('list pools')).action((flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      const answer = await admin.get<{ pools: readonly PoolView[] }>('/v1/pools');
      print(flags, answer, ({ pools }) => showPools(pools));
    }),
  );
  withGeometry(common(pool.command('create').description('make a pool').argument('<name>')))
    .addOption(
      new Option('--pgs <count>', 'number of placement groups (default: 32)').argParser(
        parseWhole(1, 4096),
      ),
    )
    .addOption(
      new Option('--failure-domain <level>', 'what may fail at once')
        .choices(['osd', 'host'])
        .default('host'),
    )
    .addOption(new Option('--class <class>', 'only disks of this class').choices(['hdd', 'ssd']))
    .action((name: string, flags: PoolFlags) =>
      withAdmin(flags, async (admin) => {
        const geometry = flags.erasure ?? flags.copies;
        if (geometry === undefined)
          throw new CliError(2, 'pool create: --erasure K+M or --copies N/MIN is needed');
        if (/\+1$/.test(geometry))
          process.stderr.write(
            'note: with M=1, while one failure domain is away one more failure loses data\n',
          );
        const answer = await admin.post<object>('/v1/pools', {
          name,
          geometry,
          failureDomain: flags.failureDomain,
          deviceClass: flags.class,
          pgs: flags.pgs,
        });
        await untilServing(admin, name, flags);
        print(flags, answer, () => `pool ${name} created\n`);
      }),
    );
  addLayoutCommands(pool, common, waiting);
  addInlineCommand(pool, common);
  common(
    pool
      .command('rm')
      .description('remove a pool; it waits in a trash for a day')
      .argument('<name>'),
  )
    .option('--accept-loss <token>', 'the token of the list of what would be lost')
    .action((name: string, flags: LossFlags) =>
      withAdmin(flags, async (admin) => {
        const query =
          flags.acceptLoss === undefined
            ? ''
            : `?acceptLoss=${encodeURIComponent(flags.acceptLoss)}`;
        print(
          flags,
          await admin.delete<object>(`/v1/pools/${encodeURIComponent(name)}${query}`),
          () => `pool ${name} removed\n`,
        );
      }),
    );
  common(
    pool.command('restore').description('take a pool out of the trash').argument('<name>'),
  ).action((name: string, flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      await admin.post<object>(pathOf(name, 'restore'), {});
      print(flags, await poolOf(admin, name), () => `pool ${name} is back\n`);
    }),
  );
}

interface SetFlags extends WaitFlags {
  readonly erasure?: string;
  readonly copies?: string;
  readonly pgs?: number;
  readonly failureDomain?: string;
  readonly class?: string;
}

/** The two ways to say how a pool stores. */
function withGeometry(command: Command): Command {
  return command
    .addOption(
      new Option('--erasure <K+M>', 'cut into K parts, any K of K+M suffice')
        .argParser(parseErasure)
        .conflicts('copies'),
    )
    .addOption(
      new Option('--copies <N/MIN>', 'N whole copies, writes need MIN').argParser(parseCopies),
    );
}

function addLayoutCommands(pool: Command, common: Decorate, waiting: DecorateWaiting): void {
  withGeometry(
    waiting(
      pool
        .command('set')
        .description(
          'give a live pool another geometry or rule; its blobs are moved, other copies change in place',
        )
        .argument('<name>'),
      'until everything is moved, or every placement group is so, and the pool has one layout',
    ),
  )
    .addOption(
      new Option('--pgs <count>', 'number of placement groups').argParser(parseWhole(1, 4096)),
    )
    .addOption(
      new Option('--failure-domain <level>', 'what may fail at once').choices(['osd', 'host']),
    )
    .addOption(
      new Option('--class <class>', 'only disks of this class').choices(['hdd', 'ssd', 'any']),
    )
    .action((name: string, flags: SetFlags) =>
      withAdmin(flags, async (admin) => {
        const geometry = flags.erasure ?? flags.copies;
        const wish = {
          geometry,
          failureDomain: flags.failureDomain,
          deviceClass: flags.class,
          pgs: flags.pgs,
        };
        if (Object.values(wish).every((each) => each === undefined))
          throw new CliError(
            2,
            'pool set: say what is to change: --erasure, --copies, --pgs, --failure-domain or --class',
          );
        if (/\+1$/.test(geometry ?? ''))
          process.stderr.write(
            'note: with M=1, while one failure domain is away one more failure loses data\n',
          );
        await admin.post<object>(pathOf(name, 'set'), wish);
        await untilMoved(admin, name, flags);
        await showPool(admin, name, flags);
      }),
    );
  waiting(
    pool
      .command('revert')
      .description('turn the last change of a pool back; what was moved returns')
      .argument('<name>'),
    'until everything is back and the pool has one layout',
  ).action((name: string, flags: WaitFlags) =>
    withAdmin(flags, async (admin) => {
      await admin.post<object>(pathOf(name, 'revert'), {});
      await untilMoved(admin, name, flags);
      await showPool(admin, name, flags);
    }),
  );
  for (const [command, description] of [
    ['pause', 'stop moving objects for now'],
    ['resume', 'go on moving objects'],
  ] as const)
    common(pool.command(command).description(description).argument('<name>')).action(
      (name: string, flags: CommonFlags) =>
        withAdmin(flags, async (admin) => {
          await admin.post<object>(pathOf(name, command), {});
          await showPool(admin, name, flags);
        }),
    );
  common(
    pool
      .command('rate')
      .description('bound how fast objects are moved')
      .argument('<name>')
      .argument('<rate>', 'bytes a second, for example 20MiB; 0: no limit', parseByteRate),
  ).action((name: string, bytesPerSecond: number, flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      await admin.post<object>(pathOf(name, 'rate'), { bytesPerSecond });
      await showPool(admin, name, flags);
    }),
  );
}

function addInlineCommand(pool: Command, common: Decorate): void {
  common(
    pool
      .command('inline')
      .description("up to which size new objects are kept in their bucket's index, not as blobs")
      .argument('<name>')
      .argument('<size>', 'bytes, for example 4KiB; 0 to 16KiB', parseByteSize),
  ).action((name: string, bytesMax: number, flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      await admin.post<object>(pathOf(name, 'inline'), { bytesMax });
      print(
        flags,
        await poolOf(admin, name),
        ({ inlineBytesMax }) =>
          `pool ${name}: objects up to ${formatBytes(inlineBytesMax)} are kept in the index\n`,
      );
    }),
  );
}

function pathOf(pool: string, command: string): string {
  return `/v1/pools/${encodeURIComponent(pool)}/${command}`;
}

async function poolOf(admin: AdminClient, name: string): Promise<PoolView> {
  const { pools } = await admin.get<{ pools: readonly PoolView[] }>('/v1/pools');
  const pool = pools.find((each) => each.name === name);
  if (pool === undefined) throw new CliError(1, `no pool ${name}`);
  return pool;
}

async function showPool(admin: AdminClient, name: string, flags: CommonFlags): Promise<void> {
  const pool = await poolOf(admin, name);
  print(flags, pool, (now) => `pool ${name}: ${describeMigration(now)}\n`);
}

/**
 * With --wait, until one layout is left: what was moved is collected and its placement groups are gone; or until the
 * change in place is done.
 */
async function untilMoved(admin: AdminClient, name: string, flags: WaitFlags): Promise<void> {
  if (flags.wait !== true) return;
  const progress = new Progress('moved', { quiet: flags.json });
  await until(flags, `pool ${name} to be moved`, async () => {
    const pool = await poolOf(admin, name);
    if (pool.change !== null) {
      progress.show(pool.change.pgsDone, pool.change.pgs, describeMigration(pool));
      return undefined;
    }
    if (pool.handover !== null) {
      progress.show(pool.handover.pgsDone, pool.handover.fromPgs, describeMigration(pool));
      return undefined;
    }
    const total = pool.layouts.reduce((sum, { bytes }) => sum + bytes, 0);
    const left = pool.migration?.leftBytes ?? 0;
    progress.show(total - left, total, describeMigration(pool));
    return pool.layouts.length === 1 ? true : undefined;
  });
  progress.end();
}
