// The commands that talk to a running cluster. Each asks the admin API, shows the answer, or with --json
// prints it as it came.

import { type Command, Option } from 'commander';
import type { DaemonState } from '../admin/control.ts';
import { countOf } from '../admin/health.ts';
import type { Health, OsdView, PgView, ScrubStarted, Status } from '../admin/views.ts';
import { deviceClasses } from '../map/cluster-map.ts';
import type { AdminClient } from './admin-client.ts';
import { addBucketCommands } from './bucket-commands.ts';
import {
  type CommonFlags,
  type Decorate,
  type DecorateWaiting,
  type LossFlags,
  print,
  until,
  untilClean,
  type WaitFlags,
  withAdmin,
} from './command-tools.ts';
import { CliError } from './errors.ts';
import { addPgCommands } from './pg-commands.ts';
import { addPoolCommands } from './pool-commands.ts';
import { Progress } from './progress.ts';
import { addQuotaCommands } from './quota-commands.ts';
import { addConfigCommands, addGiveUpCommands, addWhatIf } from './safety-commands.ts';
import { ScrubWatch } from './scrub-watch.ts';
import { showHealth, showOsdTree, showOsdUsage, showStatus } from './show.ts';
import { formatTable, paint } from './text.ts';
import { addAccountCommands, addUserCommands } from './user-commands.ts';
import { parseOneOsd, parseOsdName, parseWhole } from './values.ts';

/** A rebuild of a large disk takes hours; who waits says how long. */
const waitSecondsDefault = 3600;

export function addClusterCommands(program: Command, dataOption: () => Option): void {
  const common = (command: Command): Command =>
    command
      .addOption(dataOption())
      .option('--admin <url>', 'the admin API (default: that of the cluster in --data)')
      .option('--json', 'print the answer as JSON', false);
  const waiting = (command: Command, what: string): Command =>
    common(command)
      .option('--wait', what)
      .addOption(
        new Option('--timeout <seconds>', 'give up waiting after this long')
          .argParser(parseWhole(1, 1_000_000))
          .default(waitSecondsDefault),
      );
  addOverview(program, common, waiting);
  addOsdCommands(program.command('osd').description('disks and their daemons'), common, waiting);
  addMonCommands(program.command('mon').description('the monitor'), common);
  addPoolCommands(program.command('pool').description('pools'), common, waiting);
  addBucketCommands(program.command('bucket').description('buckets'), common, waiting);
  addWhatIf(program, common);
  addConfigCommands(program.command('config').description('cluster-wide settings'), common);
  addUserCommands(program.command('user').description('S3 users'), common);
  addAccountCommands(program.command('account').description('S3 accounts'), common);
  addQuotaCommands(program.command('quota').description('quotas of buckets and users'), common);
  addPgCommands(program.command('pg').description('placement groups'), common, waiting);
  waiting(
    program
      .command('scrub')
      .description('compare copies, and with --deep their bytes; repair what differs')
      .argument('[pgs...]', 'placement groups, for example 2.1.7'),
    'until the scrubs have ended',
  )
    .option('--deep', 'read and verify every byte', false)
    .option('--pool <name>', 'all of one pool')
    .option('--all', 'all there are', false)
    .action((pgs: readonly string[], flags: ScrubFlags) =>
      withAdmin(flags, (admin) => scrub(admin, pgs, flags)),
    );
}

function addOverview(program: Command, common: Decorate, waiting: DecorateWaiting): void {
  waiting(
    program.command('status').description('the cluster at a glance'),
    'until every placement group is active and clean',
  ).action((flags: WaitFlags) =>
    withAdmin(flags, async (admin) => {
      if (flags.wait === true) await untilClean(admin, flags);
      print(flags, await admin.get<Status>('/v1/status'), (status) =>
        showStatus(status, paint(process.stdout)),
      );
    }),
  );
  common(program.command('health').description('what is not as it should be')).action(
    (flags: CommonFlags) =>
      withAdmin(flags, async (admin) => {
        print(flags, await admin.get<Health>('/v1/health'), (health) =>
          showHealth(health, paint(process.stdout)),
        );
      }),
  );
  common(program.command('daemons').description('the processes of this machine')).action(
    (flags: CommonFlags) =>
      withAdmin(flags, async (admin) => {
        const answer = await admin.get<{ daemons: readonly DaemonState[] }>('/v1/daemons');
        print(flags, answer, ({ daemons }) =>
          formatTable(
            [
              { title: 'DAEMON' },
              { title: 'STATE' },
              { title: 'PID', align: 'right' },
              { title: 'RESTARTS', align: 'right' },
              { title: '' },
            ],
            daemons.map((each) => [
              each.name,
              each.state,
              String(each.pid ?? '–'),
              String(each.restarts),
              each.reason,
            ]),
          ),
        );
      }),
  );
}

function addOsdCommands(osd: Command, common: Decorate, waiting: DecorateWaiting): void {
  type Osds = { readonly osds: readonly OsdView[] };
  common(osd.command('tree').description('hosts and the OSDs in them')).action(
    (flags: CommonFlags) =>
      withAdmin(flags, async (admin) => {
        print(flags, await admin.get<Osds>('/v1/osds'), ({ osds }) =>
          showOsdTree(osds, paint(process.stdout)),
        );
      }),
  );
  common(osd.command('df').description('how full each OSD is')).action((flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      print(flags, await admin.get<Osds>('/v1/osds'), ({ osds }) => showOsdUsage(osds));
    }),
  );
  addAdd(osd, waiting);
  addWeight(osd, waiting);
  addAcceptRollback(osd, common);
  addGiveUpCommands(osd, common, waiting);
  const commands = [
    ['out', 'move its data elsewhere', 'is out'],
    ['in', 'let it hold data again', 'is in'],
    ['down', 'call it down now; if it runs, it comes back', 'is down'],
    ['start', 'start its daemon', 'is being started'],
    ['stop', 'stop its daemon, until `osd start`', 'is being stopped'],
  ] as const;
  for (const [name, description, done] of commands) {
    const command = waiting(
      osd.command(name).description(description),
      'until every placement group is active and clean',
    ).argument('<osds...>', 'numbers, for example 3 or osd.3', parseOsdName);
    if (name === 'stop' || name === 'down')
      command.option('--even-if-unavailable', 'also when reads or writes would stop', false);
    command.action(
      (osds: readonly number[], flags: WaitFlags & { readonly evenIfUnavailable?: boolean }) =>
        withAdmin(flags, async (admin) => {
          const { evenIfUnavailable = false } = flags;
          const answer = await admin
            .post<{ osds: readonly number[]; warnings: readonly string[] }>(`/v1/osds/${name}`, {
              osds,
              evenIfUnavailable,
            })
            .catch((error: unknown) => {
              throw error instanceof CliError && error.exitCode === 3
                ? new CliError(
                    3,
                    `refused: ${error.message}\nTo go on all the same: --even-if-unavailable`,
                  )
                : error;
            });
          for (const warning of answer.warnings) process.stderr.write(`note: ${warning}\n`);
          if (flags.wait === true) await untilClean(admin, flags);
          print(flags, answer, () => answer.osds.map((id) => `osd.${id} ${done}\n`).join(''));
        }),
    );
  }
}

function addAdd(osd: Command, waiting: DecorateWaiting): void {
  waiting(
    osd
      .command('add')
      .description(
        'run one OSD more on this machine, in the next folder osd.N of the data directory',
      )
      .addOption(
        new Option('--class <class>', 'of its disk (default: ssd)').choices([...deviceClasses]),
      ),
    'until it holds its share of the data',
  ).action((flags: WaitFlags & { readonly class?: string }) =>
    withAdmin(flags, async (admin) => {
      const answer = await admin.post<{ osd: number }>('/v1/osds/add', {
        deviceClass: flags.class,
      });
      if (flags.wait === true) {
        await until(flags, `osd.${answer.osd} to be up`, async () => {
          const { osds } = await admin.get<{ readonly osds: readonly OsdView[] }>('/v1/osds');
          return osds.some(({ id, up }) => id === answer.osd && up) ? true : undefined;
        });
        await untilClean(admin, flags);
      }
      print(
        flags,
        answer,
        ({ osd: id }) => `osd.${id} was added; its share of the data moves there\n`,
      );
    }),
  );
}

function addWeight(osd: Command, waiting: DecorateWaiting): void {
  waiting(
    osd.command('weight').description('how much of the data a disk takes beside others'),
    'until every placement group is active and clean',
  )
    .argument('<osd>', 'its number, for example 3 or osd.3', parseOneOsd)
    .argument('<weight>', 'an integer, as `osd tree` shows those of the others', Number)
    .action((id: number, weight: number, flags: WaitFlags) =>
      withAdmin(flags, async (admin) => {
        const answer = await admin.post<object>('/v1/osds/weight', { osd: id, weight });
        if (flags.wait === true) await untilClean(admin, flags);
        print(
          flags,
          answer,
          () => `osd.${id} has weight ${weight}
`,
        );
      }),
    );
}

function addAcceptRollback(osd: Command, common: Decorate): void {
  common(
    osd
      .command('accept-rollback')
      .description('take what a disk that came back older has for all there is')
      .argument('<osd>', 'its number, for example 3 or osd.3', parseOneOsd),
  )
    .option('--accept-loss <token>', 'the token of the list of what is given up')
    .action((id: number, flags: LossFlags) =>
      withAdmin(flags, async (admin) => {
        const answer = await admin.post<{ pgs: readonly string[] }>('/v1/osds/accept-rollback', {
          osd: id,
          acceptLoss: flags.acceptLoss,
        });
        print(flags, answer, ({ pgs }) => `osd.${id} leads again: ${pgs.join(' ')}\n`);
      }),
    );
}

function addMonCommands(mon: Command, common: Decorate): void {
  common(mon.command('restore').description('bring an older map store forward by what OSDs know'))
    .addOption(
      new Option(
        '--without <osds...>',
        'go on without the word of these: what only they know of is given up',
      ).argParser(parseOsdName),
    )
    .action((flags: CommonFlags & { readonly without?: readonly number[] }) =>
      withAdmin(flags, async (admin) => {
        const answer = await admin.post<object>('/v1/mon/restore', { osds: flags.without });
        print(flags, answer, () => 'the monitor goes on\n');
      }),
    );
}

interface ScrubFlags extends WaitFlags {
  readonly deep: boolean;
  readonly pool?: string;
  readonly all: boolean;
}

async function scrub(admin: AdminClient, pgs: readonly string[], flags: ScrubFlags): Promise<void> {
  const { deep, pool, all } = flags;
  if ([pgs.length > 0, pool !== undefined, all].filter(Boolean).length !== 1)
    throw new CliError(
      2,
      'scrub: name placement groups, or --pool, or --all, and only one of these',
    );
  const named = pgs.length > 0 ? { pgs } : {};
  const started = await admin.post<ScrubStarted>('/v1/scrub', { ...named, pool, all, deep });
  const { asked, unasked } = started;
  if (unasked.length > 0)
    process.stderr.write(
      `note: ${countOf(unasked.length, 'placement group')} without a primary can't be scrubbed now\n`,
    );
  if (flags.wait !== true) {
    print(flags, started, () => `asked for ${countOf(asked.length, 'scrub')}\n`);
    return;
  }
  const watch = new ScrubWatch(started, deep);
  const progress = new Progress(deep ? 'deep scrub' : 'scrub', { quiet: flags.json });
  await until(flags, 'the scrubs', async () => {
    const { pgs: now } = await admin.get<{ pgs: readonly PgView[] }>('/v1/pgs');
    const again = watch.look(now);
    progress.show(watch.done, watch.total, '');
    if (again.length > 0) await admin.post<ScrubStarted>('/v1/scrub', { pgs: again, deep });
    return watch.done === watch.total ? true : undefined;
  });
  progress.end();
  const { damaged } = watch;
  print(flags, { ...started, damaged }, () =>
    damaged === 0
      ? `${countOf(watch.total, 'placement group')} scrubbed: everything checks\n`
      : `${countOf(watch.total, 'placement group')} scrubbed: ${countOf(damaged, 'object')} damaged, see holdfast health\n`,
  );
}
