// The admin API's view of S3's users, and the commands that change them.
//
//   GET    /v1/users                          everybody, with accounts
//   POST   /v1/users {name, email?, isAdmin?} a user without account, with a key
//   POST   /v1/users/NAME {active?, isAdmin?} all keys on or off; the right to change others
//   DELETE /v1/users/NAME
//   POST   /v1/users/NAME/keys                another key
//   POST   /v1/users/NAME/keys/KEY {active}
//   DELETE /v1/users/NAME/keys/KEY
//   POST   /v1/accounts {name, email?}        an account and its root's key
//   DELETE /v1/accounts/NAME
//   GET    /v1/quotas
//   POST   /v1/quotas {kind, name, bytes?, objects?}   none without either
//
// A user of an account is `ACCOUNT/NAME`, with the slash encoded.

import type { Directory, Quota } from '../map/directory.ts';
import type { MonitorControl, S3Key, S3User } from './control.ts';
import { AdminError } from './errors.ts';
import { type Fields, flagField, optionalText, textField } from './requests.ts';

export interface UserView extends S3User {
  /** Empty: none. */
  readonly account: string;
  readonly email: string;
  readonly isRoot: boolean;
  readonly isAdmin: boolean;
  readonly keys: readonly { readonly id: string; readonly active: boolean }[];
}

export interface AccountView {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

/** `accessKey` and `secretKey` are the first that are active; empty: none is. */
export function viewUsers({ users, accounts }: Directory): {
  readonly users: readonly UserView[];
  readonly accounts: readonly AccountView[];
} {
  return {
    users: users.map(({ name, account, email, isRoot, isAdmin, keys }) => {
      const first = keys.find(({ active }) => active);
      return {
        name,
        account,
        email,
        isRoot,
        isAdmin,
        accessKey: first?.id ?? '',
        secretKey: first?.secret ?? '',
        keys: keys.map(({ id, active }) => ({ id, active })),
      };
    }),
    accounts: accounts.map(({ id, name, email }) => ({ id, name, email })),
  };
}

type Answer = S3Key | Readonly<Record<string, never>>;

export async function postUsers(
  monitor: MonitorControl,
  rest: readonly string[],
  fields: Fields,
): Promise<Answer> {
  const [name, what, key, ...others] = rest;
  if (name === undefined)
    return monitor.users.createUser({
      name: textField(fields, 'name'),
      email: optionalText(fields, 'email') ?? '',
      isAdmin: flagField(fields, 'isAdmin'),
    });
  if (what === undefined) {
    const { active, isAdmin } = fields;
    if (active !== undefined) await monitor.users.setAllKeys(name, flagField(fields, 'active'));
    if (isAdmin !== undefined) await monitor.users.setAdmin(name, flagField(fields, 'isAdmin'));
    return {};
  }
  if (what === 'keys' && key === undefined) return monitor.users.createKey(name);
  if (what === 'keys' && key !== undefined && others.length === 0) {
    await monitor.users.setKey(name, key, flagField(fields, 'active') ? 'active' : 'inactive');
    return {};
  }
  throw new AdminError('not-found', `no /v1/users/${rest.join('/')}`);
}

export async function deleteUsers(
  monitor: MonitorControl,
  rest: readonly string[],
): Promise<Answer> {
  const [name, what, key, ...others] = rest;
  if (name !== undefined && what === undefined) await monitor.users.removeUser(name);
  else if (name !== undefined && what === 'keys' && key !== undefined && others.length === 0)
    await monitor.users.setKey(name, key, 'removed');
  else throw new AdminError('not-found', `no /v1/users/${rest.join('/')}`);
  return {};
}

export function postAccounts(
  monitor: MonitorControl,
  rest: readonly string[],
  fields: Fields,
): Promise<S3User & { readonly account: string }> {
  if (rest.length > 0) throw new AdminError('not-found', `no /v1/accounts/${rest.join('/')}`);
  return monitor.users.createAccount({
    name: textField(fields, 'name'),
    email: optionalText(fields, 'email') ?? '',
  });
}

function limitField(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new AdminError('invalid', `${name}: a whole number is needed`);
  return value;
}

export async function postQuotas(
  monitor: MonitorControl,
  rest: readonly string[],
  fields: Fields,
): Promise<Answer> {
  if (rest.length > 0) throw new AdminError('not-found', `no /v1/quotas/${rest.join('/')}`);
  const kind = textField(fields, 'kind');
  if (kind !== 'bucket' && kind !== 'user')
    throw new AdminError('invalid', 'kind: bucket or user is needed');
  const quota: Quota = {
    kind,
    name: textField(fields, 'name'),
    bytes: limitField(fields, 'bytes'),
    objects: limitField(fields, 'objects'),
  };
  await monitor.users.setQuota(quota);
  return {};
}
