// Who signs with which key: the directory of users as the requests need it. A key is looked up, not searched for, and
// what follows from the directory (policies of a user with those of its groups, parsed) is made once a directory.
//
// The owner of what an account's users make is the account. A session acts for a role or a user; its key says nothing
// without the token that came with it (`session-token.ts`).

import { encodeUtf8 } from '../../base/bytes.ts';
import type { Cluster, User } from '../../client/cluster.ts';
import type { Directory, DirectoryUser, Entity, Role } from '../../map/directory.ts';
import { S3Error } from '../protocol/errors.ts';
import {
  judgePolicy,
  type Policy,
  type PolicyQuestion,
  type PolicyVerdict,
  parsePolicy,
} from '../protocol/policy.ts';
import { denyAll, managedPolicy } from './managed-policies.ts';
import { isSessionKey, openSession, type Session } from './session-token.ts';

export interface Identity {
  readonly arn: string;
  /** As `aws:PrincipalArn` has it: of a role's session, the role's. */
  readonly principalArn: string;
  /** As `aws:userid` has it. */
  readonly id: string;
  /** Of a role's session, the session's name. */
  readonly userName: string;
  /** Empty: none. */
  readonly account: string;
  readonly isRoot: boolean;
  readonly isAdmin: boolean;
  /** What other policies may name it by, besides `*` and its account. */
  readonly principals: readonly string[];
  readonly policies: readonly Policy[];
  /** It may do nothing that no policy allows it. */
  readonly needsPolicy: boolean;
  readonly session:
    | { readonly kind: Session['kind']; readonly policy: Policy | undefined }
    | undefined;
}

/** Whoever signed; nobody in particular has no identity. */
export interface Requester extends User {
  readonly identity?: Identity;
}

const accountIdPattern = /^\d{12}$/;

export function isAccountId(name: string): boolean {
  return accountIdPattern.test(name);
}

export function arnOf(kind: 'user' | 'group' | 'role', entity: Entity): string {
  return `arn:aws:iam::${entity.account}:${kind}${entity.path}${entity.name}`;
}

export function userArn(user: DirectoryUser): string {
  // Without account a user is named as policies have always named it here.
  return user.isRoot ? `arn:aws:iam::${user.account}:root` : arnOf('user', user);
}

/** One that can't be read, because a newer gateway put it, denies everything. */
function policyBody(document: string): Policy {
  try {
    return parsePolicy(encodeUtf8(document), 'identity');
  } catch (error) {
    if (error instanceof S3Error) return denyAll;
    throw error;
  }
}

function policiesOf(entities: readonly Entity[]): readonly Policy[] {
  return entities.flatMap(({ policies, attached }) => [
    ...policies.map(({ document }) => policyBody(document)),
    ...attached.map((arn) => managedPolicy(arn).policy),
  ]);
}

function identityOfUser(directory: Directory, user: DirectoryUser): Identity {
  const groups = directory.groups.filter(
    ({ account, members }) => account === user.account && members.includes(user.name),
  );
  const arn = userArn(user);
  return {
    arn,
    principalArn: arn,
    id: user.id,
    userName: user.name,
    account: user.account,
    isRoot: user.isRoot,
    isAdmin: user.isAdmin,
    principals: user.account === '' ? [user.name] : [arn],
    policies: policiesOf([user, ...groups]),
    needsPolicy: user.account !== '' && !user.isRoot,
    session: undefined,
  };
}

function identityOfRole(role: Role, policies: readonly Policy[], session: Session): Identity {
  const principalArn = arnOf('role', role);
  const arn = `arn:aws:sts::${role.account}:assumed-role/${role.name}/${session.name}`;
  return {
    arn,
    principalArn,
    id: `${role.id}:${session.name}`,
    userName: session.name,
    account: role.account,
    isRoot: false,
    isAdmin: false,
    principals: [principalArn, arn],
    policies,
    needsPolicy: true,
    session: { kind: 'role', policy: sessionPolicy(session) },
  };
}

function sessionPolicy(session: Session): Policy | undefined {
  return session.policy === '' ? undefined : policyBody(session.policy);
}

/** How policies other than its own may mean the requester. */
function principalsOf({ name, identity }: Requester): readonly string[] {
  if (identity !== undefined) return identity.principals;
  return name === '' ? [] : [name];
}

/** What a policy other than its own says of the requester. */
export function judgeRequester(
  policy: Policy,
  requester: Requester,
  asked: Omit<PolicyQuestion, 'principals'>,
): {
  readonly verdict: PolicyVerdict;
  /** It allows the requester, and not only its account. */
  readonly isMeant: boolean;
} {
  const principals = principalsOf(requester);
  const account = requester.identity?.account ?? '';
  const ofSelf = judgePolicy(policy, { ...asked, principals });
  // What is granted to an account, its root hands on by policies of its own.
  const verdict =
    account === '' || ofSelf === 'deny'
      ? ofSelf
      : judgePolicy(policy, { ...asked, principals: [...principals, account] });
  return { verdict, isMeant: ofSelf === 'allow' };
}

export class Identities {
  readonly #cluster: Cluster;
  #directory: Directory | undefined;
  readonly #users = new Map<string, { readonly user: DirectoryUser; readonly secret: string }>();
  readonly #names = new Set<string>();
  readonly #requesters = new Map<string, Requester>();
  readonly #identities = new Map<DirectoryUser, Identity>();
  readonly #rolePolicies = new Map<Role, readonly Policy[]>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  #look(): Directory {
    const directory = this.#cluster.directory();
    if (directory === this.#directory) return directory;
    this.#directory = directory;
    this.#users.clear();
    this.#names.clear();
    this.#requesters.clear();
    this.#identities.clear();
    this.#rolePolicies.clear();
    for (const { id } of directory.accounts) this.#names.add(id);
    for (const user of directory.users) {
      if (user.account === '') this.#names.add(user.name);
      for (const key of user.keys)
        if (key.active) this.#users.set(key.id, { user, secret: key.secret });
    }
    return directory;
  }

  /**
   * Undefined when the key opens nothing. `token` as the request carries it. Throws `ExpiredToken`, `InvalidToken`.
   */
  byAccessKey(accessKey: string, token: string | undefined, nowMs: number): Requester | undefined {
    const directory = this.#look();
    if (token !== undefined || isSessionKey(accessKey))
      return this.#bySession(directory, accessKey, token, nowMs);
    const known = this.#requesters.get(accessKey);
    if (known !== undefined) return known;
    const found = this.#users.get(accessKey);
    if (found === undefined) return undefined;
    const { user, secret } = found;
    const requester = {
      name: user.account === '' ? user.name : user.account,
      accessKey,
      secretKey: secret,
      identity: this.#identityOf(directory, user),
    };
    this.#requesters.set(accessKey, requester);
    return requester;
  }

  #identityOf(directory: Directory, user: DirectoryUser): Identity {
    const known = this.#identities.get(user);
    if (known !== undefined) return known;
    const identity = identityOfUser(directory, user);
    this.#identities.set(user, identity);
    return identity;
  }

  #policiesOf(role: Role): readonly Policy[] {
    const known = this.#rolePolicies.get(role);
    if (known !== undefined) return known;
    const policies = policiesOf([role]);
    this.#rolePolicies.set(role, policies);
    return policies;
  }

  #bySession(
    directory: Directory,
    accessKey: string,
    token: string | undefined,
    nowMs: number,
  ): Requester | undefined {
    if (token === undefined) return undefined;
    const session = openSession(this.#cluster.sessionsKey(), accessKey, token);
    if (session === undefined) throw new S3Error('InvalidToken');
    if (nowMs >= session.expiresMs) throw new S3Error('ExpiredToken');
    const { secretKey, owner } = session;
    if (session.kind === 'role') {
      // A role that is gone or was made anew takes its sessions with it.
      const role = directory.roles.find(({ id }) => id === session.entityId);
      if (role === undefined) throw new S3Error('InvalidToken');
      const identity = identityOfRole(role, this.#policiesOf(role), session);
      return { name: owner, accessKey, secretKey, identity };
    }
    const user = directory.users.find(({ id }) => id === session.entityId);
    // Keys that were taken from a user end what was begun with them.
    if (user?.keys.some(({ active }) => active) !== true) throw new S3Error('InvalidToken');
    const identity = {
      ...this.#identityOf(directory, user),
      session: { kind: 'user' as const, policy: sessionPolicy(session) },
    };
    return { name: owner, accessKey, secretKey, identity };
  }

  /** Whether anything can belong to the name: a user without account, or an account by its id. */
  isOwner(name: string): boolean {
    this.#look();
    return this.#names.has(name);
  }

  /** The owner's name for its e-mail address, in whatever case. */
  ownerByEmail(email: string): string | undefined {
    const lower = email.toLowerCase();
    const { accounts, users } = this.#look();
    const account = accounts.find((each) => each.email !== '' && each.email === lower);
    if (account !== undefined) return account.id;
    return users.find((each) => each.account === '' && each.email !== '' && each.email === lower)
      ?.name;
  }
}
