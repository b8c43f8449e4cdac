// The commands that could take the last copies of something, and those that say beforehand what they would do
// (promise P3). The cluster judges; here the answer is shown.

import { type Command, Option } from 'commander';
import { countOf } from '../admin/health.ts';
import type { PgView, SettingView, WhatIfCount, WhatIfView } from '../admin/views.ts';
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
import { formatBytes, formatTable } from './text.ts';
import { parseOsdName, parseWhole } from './values.ts';

const whatIfNames = ['destroy', 'out', 'down', 'full'] as const;

export function addWhatIf(program: Command, common: Decorate): void {
  common(
    program
      .command('what-if')
      .description(
        'what a command would do to the data, over all it names and what is down already',
      )
      .argument('<command>', whatIfNames.join(', '))
      .argument('<targets...>', 'osd.3, or host:NAME for all in a host'),
  ).action((command: string, targets: readonly string[], flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      const answer = await admin.post<WhatIfView>('/v1/what-if', { command, targets });
      print(flags, answer, showWhatIf);
    }),
  );
}

function showWhatIf(view: WhatIfView): string {
  const cell = ({ pgs, objects, bytes }: WhatIfCount): string =>
    pgs === 0 ? '–' : `${pgs} (${objects} obj, ${formatBytes(bytes)})`;
  const lines = [
    `${view.command} ${view.osds.map((id) => `osd.${id}`).join(' ')}`,
    '',
    formatTable(
      [
        { title: 'POOL' },
        { title: 'GEOMETRY' },
        { title: 'PGS LOST' },
        { title: 'UNPROVEN' },
        { title: 'UNAVAILABLE' },
        { title: 'WRITES WAIT' },
        { title: 'LESS REDUNDANCY' },
      ],
      view.pools.map((pool) => [
        pool.name,
        pool.geometry,
        cell(pool.lost),
        cell(pool.unproven),
        cell(pool.unavailable),
        cell(pool.writesWait),
        cell(pool.lessRedundancy),
      ]),
    ),
  ];
  if (view.writesRefused.length > 0)
    lines.push(`writes refused in ${countOf(view.writesRefused.length, 'placement group')}`);
  if (view.bytesToMove > 0)
    lines.push(
      `to be made anew elsewhere: ${formatBytes(view.bytesToMove)}; the others have room for ${formatBytes(view.roomBytes)}`,
    );
  for (const pool of view.poolsWithoutRoom)
    lines.push(`pool ${pool} would have too few failure domains: its data would stay where it is`);
  if (view.losses.length > 0)
    lines.push('', 'it would be refused unless this loss is named:', ...view.losses.slice(0, 20));
  if (view.losses.length > 20) lines.push(`and ${view.losses.length - 20} more`);
  lines.push(...view.advice.map((each) => `the safe way: ${each}`));
  return `${lines.join('\n')}\n`;
}

export function addGiveUpCommands(osd: Command, common: Decorate, waiting: DecorateWaiting): void {
  addDrain(osd, waiting);
  const commands = [
    ['destroy', 'give disks up for good; nothing on them is touched until they are wiped'],
    ['undestroy', 'take destroyed disks back, with all that is on them'],
    ['wipe', 'erase the disk of a destroyed OSD'],
    ['purge', 'take destroyed OSDs out of the map; their numbers are never given again'],
  ] as const;
  for (const [name, description] of commands)
    common(
      osd
        .command(name)
        .description(description)
        .argument('<osds...>', 'numbers, for example 3 or osd.3', parseOsdName)
        .addOption(
          new Option('--accept-loss <token>', 'the token of the list of what would be lost'),
        ),
    ).action((osds: readonly number[], flags: LossFlags) =>
      withAdmin(flags, async (admin) => {
        const { acceptLoss } = flags;
        const answer = await admin.post<{ osds: readonly number[] }>(`/v1/osds/${name}`, {
          osds,
          acceptLoss,
        });
        const done = { destroy: 'destroyed', undestroy: 'back', wipe: 'wiped', purge: 'gone' };
        print(flags, answer, () =>
          answer.osds.map((id) => `osd.${id} is ${done[name]}\n`).join(''),
        );
      }),
    );
}

function addDrain(osd: Command, waiting: DecorateWaiting): void {
  waiting(
    osd
      .command('drain')
      .description('move everything off these disks, so that they can be destroyed safely')
      .argument('<osds...>', 'numbers, for example 3 or osd.3', parseOsdName)
      .option('--no-wait', 'do not wait until they are empty'),
    'until nothing needs them any more (the default)',
  ).action((osds: readonly number[], flags: WaitFlags) =>
    withAdmin(flags, async (admin) => {
      const targets = osds.map((id) => `osd.${id}`);
      const before = await admin.post<WhatIfView>('/v1/what-if', { command: 'out', targets });
      if (before.poolsWithoutRoom.length > 0)
        throw new CliError(
          3,
          `refused: ${before.poolsWithoutRoom.join(', ')} would have too few failure domains without ${targets.join(' ')}: add disks first (holdfast osd add), or replace them one at a time`,
        );
      if (before.bytesToMove > before.roomBytes)
        throw new CliError(
          3,
          `refused: ${formatBytes(before.bytesToMove)} would have to fit into ${formatBytes(before.roomBytes)} on the others: ${formatBytes(before.bytesToMove - before.roomBytes)} are missing`,
        );
      await admin.post<object>('/v1/osds/out', { osds });
      if (flags.wait !== false) await untilEmpty(admin, osds, flags);
      const answer = { osds, empty: flags.wait !== false };
      print(flags, answer, () =>
        answer.empty
          ? `nothing needs ${targets.join(' ')} any more: holdfast osd destroy ${osds.join(' ')}\n`
          : `${targets.join(' ')}: being emptied, see holdfast osd tree\n`,
      );
    }),
  );
}

/** Until no placement group has a slot there; the time left is by the rate since the beginning, once there is one. */
async function untilEmpty(
  admin: AdminClient,
  osds: readonly number[],
  flags: WaitFlags,
): Promise<void> {
  const progress = new Progress('moved', { quiet: flags.json });
  const beganAt = Date.now();
  let total = 0;
  await until(flags, 'the disks to be empty', async () => {
    const { pgs } = await admin.get<{ pgs: readonly PgView[] }>('/v1/pgs');
    const left = pgs.filter((pg) => pg.slots.some((slot) => osds.includes(slot.osd)));
    total = Math.max(total, left.length);
    const done = total - left.length;
    const secondsLeft = (((Date.now() - beganAt) / 1000) * left.length) / Math.max(1, done);
    progress.show(done, total, done === 0 ? '' : `about ${Math.ceil(secondsLeft)} s left`);
    return left.length === 0 ? true : undefined;
  });
  progress.end();
}

export function addConfigCommands(config: Command, common: Decorate): void {
  type Settings = { readonly settings: readonly SettingView[] };
  const show = ({ settings }: Settings): string =>
    formatTable(
      [{ title: 'SETTING' }, { title: 'VALUE', align: 'right' }, { title: 'MEANING' }],
      settings.map(({ name, value, defaultValue, meaning }) => [
        name,
        value === defaultValue ? String(value) : `${value} (default ${defaultValue})`,
        meaning,
      ]),
    );
  common(config.command('ls').description('cluster-wide settings')).action((flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      print(flags, await admin.get<Settings>('/v1/settings'), show);
    }),
  );
  common(
    config
      .command('set')
      .description('set a cluster-wide setting')
      .argument('<name>')
      .argument('<value>', 'a whole number', parseWhole(0, Number.MAX_SAFE_INTEGER)),
  ).action((name: string, value: number, flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      print(flags, await admin.post<Settings>('/v1/settings', { name, value }), show);
    }),
  );
  common(config.command('reset').description('back to the default').argument('<name>')).action(
    (name: string, flags: CommonFlags) =>
      withAdmin(flags, async (admin) => {
        print(flags, await admin.post<Settings>('/v1/settings', { name }), show);
      }),
  );
}
