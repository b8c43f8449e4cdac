// `holdfast quota`: the most that a bucket, or all buckets of a user or account, may hold.

import { type Command, Option } from 'commander';
import type { Quota } from '../map/directory.ts';
import { type CommonFlags, type Decorate, print, withAdmin } from './command-tools.ts';
import { CliError } from './errors.ts';
import { formatBytes, formatTable } from './text.ts';
import { parseWhole } from './values.ts';

interface WhoseFlags extends CommonFlags {
  readonly bucket?: string;
  readonly user?: string;
}

interface SetFlags extends WhoseFlags {
  readonly bytes?: number;
  readonly objects?: number;
}

const whose = (command: Command): Command =>
  command
    .addOption(new Option('--bucket <name>', 'of a bucket').conflicts('user'))
    .addOption(new Option('--user <name>', 'of all buckets of a user, or of an account by its id'));

function subjectOf({ bucket, user }: WhoseFlags): Pick<Quota, 'kind' | 'name'> {
  if (bucket !== undefined) return { kind: 'bucket', name: bucket };
  if (user !== undefined) return { kind: 'user', name: user };
  throw new CliError(2, '--bucket or --user is needed');
}

function send(flags: WhoseFlags, limits: Partial<Quota>, words: string): Promise<void> {
  const subject = subjectOf(flags);
  return withAdmin(flags, async (admin) => {
    const answer = await admin.post<object>('/v1/quotas', { ...subject, ...limits });
    print(flags, answer, () => `quota of ${subject.kind} ${subject.name} ${words}\n`);
  });
}

export function addQuotaCommands(quota: Command, common: Decorate): void {
  common(quota.command('ls').description('list quotas')).action((flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      const answer = await admin.get<{ quotas: readonly Quota[] }>('/v1/quotas');
      print(flags, answer, ({ quotas }) =>
        formatTable(
          ['OF', 'NAME', 'BYTES', 'OBJECTS'].map((title) => ({ title })),
          quotas.map(({ kind, name, bytes, objects }) => [
            kind,
            name,
            bytes === undefined ? '' : formatBytes(bytes),
            objects === undefined ? '' : String(objects),
          ]),
        ),
      );
    }),
  );
  const most = Number.MAX_SAFE_INTEGER;
  common(whose(quota.command('set').description('set a quota in place of the one there is')))
    .addOption(new Option('--bytes <count>', 'most bytes').argParser(parseWhole(0, most)))
    .addOption(new Option('--objects <count>', 'most versions').argParser(parseWhole(0, most)))
    .action((flags: SetFlags) => {
      const { bytes, objects } = flags;
      if (bytes === undefined && objects === undefined)
        throw new CliError(2, '--bytes or --objects is needed');
      return send(
        flags,
        {
          ...(bytes === undefined ? {} : { bytes }),
          ...(objects === undefined ? {} : { objects }),
        },
        'set',
      );
    });
  common(whose(quota.command('rm').description('remove a quota'))).action((flags: WhoseFlags) =>
    send(flags, {}, 'removed'),
  );
}
