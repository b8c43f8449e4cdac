// Who there is for S3: users with their keys and policies, groups, roles, accounts. The monitor keeps it, every
// gateway has the newest, and a change is made of the whole by whoever knows its revision: what a command or
// a gateway decided on is what it replaces, or nothing happens.
//
// A user belongs to an account or to none. Those without are what `holdfast user create` makes: each owns its own buckets. An
// account's buckets belong to the account; its root may do everything with them, its users what policies let them.

import {
  bool,
  type Codec,
  DecodeError,
  decode,
  encode,
  list,
  oneOf,
  option,
  struct,
  text,
  u32,
  uint,
} from '../base/codec.ts';

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  /** One that is not stays listed and opens nothing. */
  readonly active: boolean;
  readonly createdMs: number;
}

/** A policy as it was put, JSON. */
export interface InlinePolicy {
  readonly name: string;
  readonly document: string;
}

/** What users, groups and roles have in common. */
export interface Entity {
  /** Empty: none. */
  readonly account: string;
  /** Of its kind in its account once, whatever the case of its letters. */
  readonly name: string;
  /** Made with it and never given again. */
  readonly id: string;
  /** `/`, or `/parts/of/it/`. */
  readonly path: string;
  readonly createdMs: number;
  /** By name, in order. */
  readonly policies: readonly InlinePolicy[];
  /** ARNs of managed policies, in order. */
  readonly attached: readonly string[];
}

export interface DirectoryUser extends Entity {
  readonly email: string;
  readonly keys: readonly AccessKey[];
  /** An account's root: it is not listed, and no policy holds it back. */
  readonly isRoot: boolean;
  /** Of a user without account: may change all users and roles without account. */
  readonly isAdmin: boolean;
}

export interface Group extends Entity {
  /** Names of users of the same account, in order. */
  readonly members: readonly string[];
}

export interface Role extends Entity {
  readonly description: string;
  /** Who may take it, JSON. */
  readonly trust: string;
  readonly sessionSecondsMax: number;
}

export interface Account {
  /** Twelve digits. */
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly createdMs: number;
}

/** Most that a bucket, or all buckets of an owner, may hold. Undefined: any amount. */
export interface Quota {
  readonly kind: 'bucket' | 'user';
  /** Of a bucket; of a user without account; an account's id. */
  readonly name: string;
  readonly bytes: number | undefined;
  readonly objects: number | undefined;
}

/** Where events of buckets go (SNS's word). */
export interface Topic {
  /** A user without account, or an account's id. */
  readonly owner: string;
  /** Of its owner's once. */
  readonly name: string;
  readonly createdMs: number;
  /** URL of a webhook; empty: nobody is told. */
  readonly endpoint: string;
  /** Of an https webhook: whether its certificate must be good. */
  readonly verifyTls: boolean;
  /** Stands in each event as it is. */
  readonly opaque: string;
  /** Who else may use it, JSON; empty: nobody. */
  readonly policy: string;
  /** How long an event is tried before it is given up; undefined: as long as the gateways say. */
  readonly keptSeconds: number | undefined;
}

export interface Directory {
  /** One more with each change. */
  readonly revision: number;
  readonly accounts: readonly Account[];
  readonly users: readonly DirectoryUser[];
  readonly groups: readonly Group[];
  readonly roles: readonly Role[];
  readonly quotas: readonly Quota[];
  readonly topics: readonly Topic[];
}

/**
 * Longest encoded directory, in bytes: it goes whole to each gateway with each change, and into one value of the map
 * store. Some 5,000 users with a key, or a thousand with a policy each.
 */
export const directoryBytesMax = 1024 * 1024;

/**
 * Keys are for programs that are being changed over from one to the next. AWS has two; here each costs its bytes, and is
 * looked up by its id.
 */
export const keysPerUserMax = 16;

export const emptyDirectory: Directory = {
  revision: 0,
  accounts: [],
  users: [],
  groups: [],
  roles: [],
  quotas: [],
  topics: [],
};

const entityFields = {
  account: text,
  name: text,
  id: text,
  path: text,
  createdMs: uint,
  policies: list(struct({ name: text, document: text })),
  attached: list(text),
};

/**
 * "HFDI", the format's version, then the parts in order, each a list of structs with the fields that the
 * interfaces above name.
 *
 *   version 1: the first
 *   version 2: quotas, at the end
 *   version 3: topics, after them; written only where there are any, so that a build of before reads the rest
 */
const magic = 0x49444648;
const versionMax = 3;
const versionWithoutTopics = 2;

const body: Codec<Omit<Directory, 'quotas' | 'topics'>> = struct({
  revision: uint,
  accounts: list(struct({ id: text, name: text, email: text, createdMs: uint })),
  users: list(
    struct({
      ...entityFields,
      email: text,
      keys: list(struct({ id: text, secret: text, active: bool, createdMs: uint })),
      isRoot: bool,
      isAdmin: bool,
    }),
  ),
  groups: list(struct({ ...entityFields, members: list(text) })),
  roles: list(struct({ ...entityFields, description: text, trust: text, sessionSecondsMax: uint })),
});

const quotas: Codec<Directory['quotas']> = list(
  struct({
    kind: oneOf('bucket', 'user'),
    name: text,
    bytes: option(uint),
    objects: option(uint),
  }),
);

const topics: Codec<Directory['topics']> = list(
  struct({
    owner: text,
    name: text,
    createdMs: uint,
    endpoint: text,
    verifyTls: bool,
    opaque: text,
    policy: text,
    keptSeconds: option(uint),
  }),
);

const directoryCodec: Codec<Directory> = {
  write: (w, value) => {
    const hasTopics = value.topics.length > 0;
    u32.write(w, magic);
    uint.write(w, hasTopics ? versionMax : versionWithoutTopics);
    body.write(w, value);
    quotas.write(w, value.quotas);
    if (hasTopics) topics.write(w, value.topics);
  },
  read: (r) => {
    if (u32.read(r) !== magic) throw new DecodeError('a directory without its magic');
    const found = uint.read(r);
    if (found < 1 || found > versionMax)
      throw new DecodeError(`directory format ${found}; this program knows ${versionMax}`);
    const read = body.read(r);
    return {
      ...read,
      quotas: found < 2 ? [] : quotas.read(r),
      topics: found < 3 ? [] : topics.read(r),
    };
  },
};

export function encodeDirectory(directory: Directory): Uint8Array {
  return encode(directoryCodec, directory);
}

/** Throws `DecodeError`. */
export function decodeDirectory(bytes: Uint8Array): Directory {
  return decode(directoryCodec, bytes);
}

/** A user without account, with one key. */
export function plainUser(
  user: { readonly name: string; readonly accessKey: string; readonly secretKey: string },
  createdMs: number,
  isAdmin: boolean,
): DirectoryUser {
  const { name, accessKey, secretKey } = user;
  return {
    account: '',
    name,
    id: `U${accessKey}`,
    path: '/',
    createdMs,
    policies: [],
    attached: [],
    email: '',
    keys: [{ id: accessKey, secret: secretKey, active: true, createdMs }],
    isRoot: false,
    isAdmin,
  };
}

/** Its groups have it no more, and the quota and the topics of what was its own are gone with it. */
export function directoryWithout(directory: Directory, user: DirectoryUser): Directory {
  const { account, name } = user;
  const groups = directory.groups.map((group) =>
    group.account === account && group.members.includes(name)
      ? { ...group, members: group.members.filter((each) => each !== name) }
      : group,
  );
  const users = directory.users.filter((each) => each !== user);
  if (account !== '') return { ...directory, users, groups };
  return { ...directory, users, groups, ...withoutOwner(directory, name) };
}

/** What is an owner's own beside buckets. `owner`: a user without account, or an account by its id. */
export function withoutOwner(
  { quotas, topics }: Directory,
  owner: string,
): Pick<Directory, 'quotas' | 'topics'> {
  return {
    quotas: quotas.filter(({ kind, name }) => kind !== 'user' || name !== owner),
    topics: topics.filter((topic) => topic.owner !== owner),
  };
}

/** What is wrong with it; undefined when nothing is. Who reads a directory may rely on what is asked here. */
export function directoryFault(directory: Directory): string | undefined {
  const seen = new Set<string>();
  const twice = (what: string): boolean => seen.size === seen.add(what).size;
  const accounts = new Set(directory.accounts.map(({ id }) => id));
  for (const { id } of directory.accounts) {
    if (!/^\d{12}$/.test(id)) return `account ${id}: twelve digits are needed`;
    if (twice(`account ${id}`)) return `account ${id} twice`;
  }
  const kinds = { user: directory.users, group: directory.groups, role: directory.roles };
  for (const [kind, entities] of Object.entries(kinds)) {
    for (const { account, name } of entities) {
      if (account !== '' && !accounts.has(account)) return `${kind} ${name} of no account`;
      if (twice(`${kind} ${account}/${name.toLowerCase()}`)) return `${kind} ${name} twice`;
    }
  }
  for (const { name, account, keys } of directory.users) {
    if (account === '' && accounts.has(name)) return `user ${name} has an account's id for a name`;
    for (const { id } of keys) if (twice(`key ${id}`)) return `access key ${id} twice`;
  }
  for (const { kind, name } of directory.quotas)
    if (twice(`quota of ${kind} ${name}`)) return `quota of ${kind} ${name} twice`;
  for (const { owner, name } of directory.topics)
    if (twice(`topic ${owner}/${name}`)) return `topic ${name} of ${owner} twice`;
  return undefined;
}
