// What the operator changes in the directory: users without account, accounts with their roots, keys. Pure; the
// rest is changed by S3's own users over the IAM API, through whichever gateway they ask.
//
// A user is named `NAME`, or `ACCOUNT/NAME` when it belongs to an account.

import type { AccessKey, Directory, DirectoryUser, Quota } from '../map/directory.ts';
import { directoryWithout, keysPerUserMax, plainUser, withoutOwner } from '../map/directory.ts';
import { MonError } from './errors.ts';

export interface NewKey {
  readonly accessKey: string;
  readonly secretKey: string;
}

function checkName(what: string, name: string): void {
  if (!/^[A-Za-z0-9._@-]{1,64}$/.test(name) || /^\d{12}$/.test(name))
    throw new MonError(
      'invalid',
      `${what} name ${name}: 1 to 64 letters, digits, . _ @ -, and not twelve digits`,
    );
}

function checkEmail(directory: Directory, email: string): void {
  if (email === '') return;
  if (!/^[\x21-\x7e]{1,64}@[\x21-\x7e]{1,190}$/.test(email))
    throw new MonError('invalid', `${email} is no e-mail address`);
  const lower = email.toLowerCase();
  if ([...directory.users, ...directory.accounts].some((each) => each.email === lower))
    throw new MonError('refused', `${email} is another's e-mail address`);
}

export function findUser(directory: Directory, name: string): DirectoryUser {
  const slash = name.indexOf('/');
  const account = slash < 0 ? '' : name.slice(0, slash);
  const user = directory.users.find(
    (each) => each.account === account && each.name === name.slice(slash + 1),
  );
  if (user === undefined) throw new MonError('not-found', `no user ${name}`);
  return user;
}

function replaced(directory: Directory, before: DirectoryUser, after: DirectoryUser): Directory {
  return { ...directory, users: directory.users.map((user) => (user === before ? after : user)) };
}

export function withUser(
  directory: Directory,
  user: NewKey & { readonly name: string; readonly email: string; readonly isAdmin: boolean },
  nowMs: number,
): Directory {
  const { name, isAdmin } = user;
  checkName('user', name);
  checkEmail(directory, user.email);
  const lower = name.toLowerCase();
  if (directory.users.some((each) => each.account === '' && each.name.toLowerCase() === lower))
    throw new MonError('refused', `user ${name} exists`);
  const made = { ...plainUser(user, nowMs, isAdmin), email: user.email.toLowerCase() };
  return { ...directory, users: [...directory.users, made] };
}

/** An account and its root, who has the account's name. */
export function withAccount(
  directory: Directory,
  account: NewKey & { readonly id: string; readonly name: string; readonly email: string },
  nowMs: number,
): Directory {
  const { id, name } = account;
  checkName('account', name);
  checkEmail(directory, account.email);
  if (directory.accounts.some((each) => each.name.toLowerCase() === name.toLowerCase()))
    throw new MonError('refused', `account ${name} exists`);
  const email = account.email.toLowerCase();
  const root = { ...plainUser(account, nowMs, false), account: id, id, isRoot: true };
  return {
    ...directory,
    accounts: [...directory.accounts, { id, name, email, createdMs: nowMs }],
    users: [...directory.users, root],
  };
}

/** Buckets of a removed user or account stay, and belong to nobody until there is one of that name again. */
export function withoutUser(directory: Directory, name: string): Directory {
  const user = findUser(directory, name);
  if (user.isRoot)
    throw new MonError('refused', `${name} is the root of account ${user.account}: remove that`);
  return directoryWithout(directory, user);
}

/** With all its users, groups and roles. */
export function withoutAccount(directory: Directory, name: string): Directory {
  const account = directory.accounts.find((each) => each.name === name || each.id === name);
  if (account === undefined) throw new MonError('not-found', `no account ${name}`);
  const isOther = (each: { readonly account: string }): boolean => each.account !== account.id;
  return {
    ...directory,
    accounts: directory.accounts.filter((each) => each !== account),
    users: directory.users.filter(isOther),
    groups: directory.groups.filter(isOther),
    roles: directory.roles.filter(isOther),
    ...withoutOwner(directory, account.id),
  };
}

export function withKey(
  directory: Directory,
  name: string,
  key: NewKey,
  createdMs: number,
): Directory {
  const user = findUser(directory, name);
  if (user.keys.length >= keysPerUserMax)
    throw new MonError('refused', `${name} has ${keysPerUserMax} keys: remove one`);
  const added: AccessKey = { id: key.accessKey, secret: key.secretKey, active: true, createdMs };
  return replaced(directory, user, { ...user, keys: [...user.keys, added] });
}

/** A key made active, inactive, or removed. */
export function withKeyState(
  directory: Directory,
  name: string,
  keyId: string,
  state: 'active' | 'inactive' | 'removed',
): Directory {
  const user = findUser(directory, name);
  if (!user.keys.some(({ id }) => id === keyId))
    throw new MonError('not-found', `${name} has no key ${keyId}`);
  const keys = user.keys.flatMap((key) => {
    if (key.id !== keyId) return [key];
    return state === 'removed' ? [] : [{ ...key, active: state === 'active' }];
  });
  return replaced(directory, user, { ...user, keys });
}

/** All keys of a user at once. */
export function withAllKeys(directory: Directory, name: string, active: boolean): Directory {
  const user = findUser(directory, name);
  return replaced(directory, user, {
    ...user,
    keys: user.keys.map((key) => ({ ...key, active })),
  });
}

export function withAdmin(directory: Directory, name: string, isAdmin: boolean): Directory {
  const user = findUser(directory, name);
  if (user.account !== '')
    throw new MonError('refused', `${name} belongs to an account: its root says what it may do`);
  return replaced(directory, user, { ...user, isAdmin });
}

/** In place of the one there was; one without any limit is none. Names of buckets are not looked for. */
export function withQuota(directory: Directory, quota: Quota): Directory {
  const { kind, name } = quota;
  if (kind === 'user' && !isOwner(directory, name))
    throw new MonError('not-found', `no user without account, and no account, ${name}`);
  if (kind === 'bucket' && !/^[a-z0-9][a-z0-9._-]{1,254}$/i.test(name))
    throw new MonError('invalid', `${name} is no bucket's name`);
  const others = directory.quotas.filter((each) => each.kind !== kind || each.name !== name);
  const isNone = quota.bytes === undefined && quota.objects === undefined;
  return { ...directory, quotas: isNone ? others : [...others, quota] };
}

function isOwner({ users, accounts }: Directory, name: string): boolean {
  return (
    users.some((each) => each.account === '' && each.name === name) ||
    accounts.some(({ id }) => id === name)
  );
}
