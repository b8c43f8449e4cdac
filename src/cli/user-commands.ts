// `holdfast user` and `holdfast account`: who may use S3, and with which keys. What users may do is said over the IAM
// API, by accounts' roots and by users made with --user-admin.

import { type Command, Option } from 'commander';
import type { S3Key, S3User } from '../admin/control.ts';
import type { AccountView, UserView } from '../admin/users.ts';
import { type CommonFlags, type Decorate, print, withAdmin } from './command-tools.ts';
import { formatTable } from './text.ts';

interface Listing {
  readonly users: readonly UserView[];
  readonly accounts: readonly AccountView[];
}

interface CreateFlags extends CommonFlags {
  readonly email?: string;
  readonly userAdmin?: boolean;
}

function showKey({ accessKey, secretKey }: S3Key): string {
  return `export AWS_ACCESS_KEY_ID=${accessKey}\nexport AWS_SECRET_ACCESS_KEY=${secretKey}\n`;
}

/** A row a key, and one for who has none. */
function showUsers(users: readonly UserView[]): string {
  const rows = users.flatMap(({ name, account, isRoot, isAdmin, keys }) => {
    const kind = isRoot ? 'root' : isAdmin ? 'admin' : '';
    const who = [account === '' ? name : `${account}/${name}`, kind];
    if (keys.length === 0) return [[...who, '', '']];
    return keys.map(({ id, active }) => [...who, id, active ? 'active' : 'inactive']);
  });
  const titles = ['USER', 'MAY', 'ACCESS KEY', 'STATE'].map((title) => ({ title }));
  return formatTable(titles, rows);
}

const userPath = (name: string): string => `/v1/users/${encodeURIComponent(name)}`;
const keyPath = (name: string, key: string): string =>
  `${userPath(name)}/keys/${encodeURIComponent(key)}`;

function post(flags: CommonFlags, path: string, fields: object, words: string): Promise<void> {
  return withAdmin(flags, async (admin) => {
    print(flags, await admin.post<object>(path, fields), () => `${words}\n`);
  });
}

function remove(flags: CommonFlags, path: string, words: string): Promise<void> {
  return withAdmin(flags, async (admin) => {
    print(flags, await admin.delete<object>(path), () => `${words}\n`);
  });
}

export function addUserCommands(user: Command, common: Decorate): void {
  common(user.command('ls').description('list users and their keys')).action((flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      print(flags, await admin.get<Listing>('/v1/users'), ({ users }) => showUsers(users));
    }),
  );
  common(user.command('create').description('make a user with a key').argument('<name>'))
    .option('--email <address>', 'by which others may grant it access')
    .option('--user-admin', 'may change all users without account over the IAM API', false)
    .action((name: string, flags: CreateFlags) =>
      withAdmin(flags, async (admin) => {
        const wish = { name, email: flags.email ?? '', isAdmin: flags.userAdmin === true };
        print(flags, await admin.post<S3User>('/v1/users', wish), showKey);
      }),
    );
  common(
    user
      .command('rm')
      .description('remove a user, NAME or ACCOUNT/NAME; its keys end at once')
      .argument('<name>'),
  ).action((name: string, flags: CommonFlags) =>
    remove(flags, userPath(name), `user ${name} removed`),
  );
  for (const [word, active] of [
    ['disable', false],
    ['enable', true],
  ] as const)
    common(user.command(word).description(`${word} all keys of a user`).argument('<name>')).action(
      (name: string, flags: CommonFlags) =>
        post(flags, userPath(name), { active }, `user ${name} ${word}d`),
    );
  common(
    user
      .command('set')
      .description('change what a user may do')
      .argument('<name>')
      .addOption(
        new Option('--user-admin <yes|no>', 'whether it may change all users without account')
          .choices(['yes', 'no'])
          .makeOptionMandatory(),
      ),
  ).action((name: string, flags: CommonFlags & { readonly userAdmin: 'yes' | 'no' }) =>
    post(flags, userPath(name), { isAdmin: flags.userAdmin === 'yes' }, `user ${name} changed`),
  );
  addKeyCommands(user.command('key').description('further keys of a user'), common);
}

function addKeyCommands(key: Command, common: Decorate): void {
  common(key.command('create').description('make another key').argument('<user>')).action(
    (name: string, flags: CommonFlags) =>
      withAdmin(flags, async (admin) => {
        print(flags, await admin.post<S3Key>(`${userPath(name)}/keys`, {}), showKey);
      }),
  );
  for (const [word, active] of [
    ['disable', false],
    ['enable', true],
  ] as const)
    common(
      key.command(word).description(`${word} a key`).argument('<user>').argument('<key>'),
    ).action((name: string, id: string, flags: CommonFlags) =>
      post(flags, keyPath(name, id), { active }, `key ${id} ${word}d`),
    );
  common(
    key
      .command('rm')
      .description('remove a key; it ends at once')
      .argument('<user>')
      .argument('<key>'),
  ).action((name: string, id: string, flags: CommonFlags) =>
    remove(flags, keyPath(name, id), `key ${id} removed`),
  );
}

export function addAccountCommands(account: Command, common: Decorate): void {
  common(account.command('ls').description('list accounts')).action((flags: CommonFlags) =>
    withAdmin(flags, async (admin) => {
      print(flags, await admin.get<Listing>('/v1/users'), ({ accounts }) =>
        formatTable(
          [{ title: 'ACCOUNT' }, { title: 'NAME' }, { title: 'EMAIL' }],
          accounts.map(({ id, name, email }) => [id, name, email]),
        ),
      );
    }),
  );
  common(
    account
      .command('create')
      .description('make an account, whose root makes its users, groups and roles')
      .argument('<name>')
      .option('--email <address>', 'by which others may grant it access'),
  ).action((name: string, flags: CreateFlags) =>
    withAdmin(flags, async (admin) => {
      const wish = { name, email: flags.email ?? '' };
      const made = await admin.post<S3User & { readonly account: string }>('/v1/accounts', wish);
      print(flags, made, (answer) => `# account ${answer.account}\n${showKey(answer)}`);
    }),
  );
  common(
    account
      .command('rm')
      .description('remove an account with its users, groups and roles; its buckets stay')
      .argument('<name>'),
  ).action((name: string, flags: CommonFlags) =>
    remove(flags, `/v1/accounts/${encodeURIComponent(name)}`, `account ${name} removed`),
  );
}
