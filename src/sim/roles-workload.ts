// An account whose root makes a role, changes what it may do and who may take it, and removes it, at one gateway, while its
// users take it and act with its sessions at all. Each decision must follow from what was in force when it was made: the
// directory is acted on by each gateway that has the revision of the change. A session ends with the role that it was
// begun for, and is no session of the next role of that name. What was refused changed nothing.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import type { Monitor } from '../mon/monitor.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { KeyHistories } from './key-histories.ts';
import { elementOf, oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import type { S3Call, Signer } from './s3-request.ts';
import { etagOf, S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import { type Acknowledged, heardOfDirectory, ToldValue } from './told-value.ts';
import { type KeyCall, keyModel, policyText, verdictOf, wordsOf } from './users-workload.ts';

type RolePolicy = 'none' | 'read' | 'write';

/** One of those that had the name, one after the other. */
interface SimulatedRole {
  readonly id: string;
  readonly arn: string;
  readonly state: ToldValue<'there' | 'gone'>;
  readonly policy: ToldValue<RolePolicy>;
  /** The user who may take it. */
  readonly trusted: ToldValue<string>;
}

interface RoleSession {
  readonly role: SimulatedRole;
  readonly signer: Signer;
}

interface AccountUser {
  readonly name: string;
  readonly signer: Signer;
}

interface Asked {
  readonly gateway: SimulatedGateway;
  readonly calledAt: number;
  readonly revision: number;
}

type Wish = 'put' | 'get';

const userNames = ['cat', 'dan'];
const roleName = 'clerk';
const fixedKey = 'fixed';
const objectKeys = ['r', 's'];
const sessionsMax = 6;

const actionsOf: Readonly<Record<Exclude<RolePolicy, 'none'>, readonly string[]>> = {
  read: ['s3:GetObject'],
  write: ['s3:PutObject'],
};

export class RolesWorkload implements S3Load {
  readonly problems: string[] = [];
  readonly asker = new S3Asker(this.problems);
  readonly histories: KeyHistories<KeyCall>;
  operations = 0;
  gateways: () => readonly SimulatedGateway[] = () => [];
  monitor: () => Monitor | undefined = () => undefined;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #values: S3Values;
  #account = '';
  #root: Signer | undefined;
  #bucket: S3Bucket | undefined;
  /** A gateway with an older directory knows none of the account. */
  #preparedRevision = 0;
  /** Of the directory that has all acknowledged changes. */
  #newestRevision = 0;
  readonly #users: AccountUser[] = [];
  readonly #roles: SimulatedRole[] = [];
  #sessions: readonly RoleSession[] = [];
  /** One change of the role at a time. */
  #isChanging = false;
  /** One may have been made without an answer that would name it. */
  #hasUnknownRole = false;

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
    this.histories = new KeyHistories(now, keyModel);
  }

  async prepare(gateway: SimulatedGateway): Promise<void> {
    const made = await this.monitor()?.users.createAccount({ name: 'firm', email: '' });
    if (made === undefined) return;
    this.#account = made.account;
    const root = { accessKey: made.accessKey, secretKey: made.secretKey };
    this.#root = root;
    const bucket = new S3Bucket('office', this.asker, this.problems, root);
    await bucket.make(gateway);
    const body = encodeUtf8(fixedKey);
    await bucket.insist(gateway, { method: 'PUT', path: bucket.pathOf(fixedKey), body });
    for (const name of userNames) {
      await this.#asRoot(gateway, 'CreateUser', { UserName: name });
      const key = await this.#asRoot(gateway, 'CreateAccessKey', { UserName: name });
      const accessKey = key === undefined ? undefined : elementOf(key, 'AccessKeyId');
      const secretKey = key === undefined ? undefined : elementOf(key, 'SecretAccessKey');
      if (accessKey === undefined || secretKey === undefined)
        this.problems.push(`user ${name} of the account has no key: ${wordsOf(key)}`);
      else this.#users.push({ name, signer: { accessKey, secretKey } });
    }
    this.#preparedRevision = gateway.client.directory().revision;
    this.#newestRevision = this.#preparedRevision;
    this.#bucket = bucket;
    await this.#makeRole(gateway);
  }

  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    const bucket = this.#bucket;
    if (bucket === undefined) return;
    const session = this.#sessions.length === 0 ? undefined : oneOf(this.#random, this.#sessions);
    const draw = this.#random.below(16);
    if (draw < 5) return this.#changeOne(gateway, draw);
    if (draw < 8 || session === undefined) return this.#take(gateway);
    if (draw === 8) return this.#intrude(gateway, session);
    if (draw === 9) return this.#readAsRoot(gateway, oneOf(this.#random, objectKeys));
    return this.#act(gateway, session, oneOf(this.#random, ['put', 'get'] as const));
  }

  /** At each gateway that serves: none may be behind any more. */
  async readAll(gateway: SimulatedGateway): Promise<void> {
    if (this.#bucket === undefined) return;
    const alive = this.gateways().filter(({ process }) => process.isAlive);
    for (const each of new Set([gateway, ...alive])) {
      for (const session of this.#sessions) await this.#act(each, session, 'get', 'must answer');
      for (const key of objectKeys) await this.#readAsRoot(each, key, 'must answer');
    }
  }

  async removeAll(gateway: SimulatedGateway): Promise<void> {
    await this.#bucket?.remove(gateway);
  }

  checkHistories(): string[] {
    return this.histories.check('key of roles');
  }

  #asRoot(
    gateway: SimulatedGateway,
    action: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<WholeResponse | undefined> {
    const signer = this.#root === undefined ? {} : { signer: this.#root };
    return this.asker.askForm(gateway, { service: 'iam', action, parameters, ...signer });
  }

  #asked(gateway: SimulatedGateway): Asked {
    const { revision } = gateway.client.directory();
    return { gateway, calledAt: this.#now(), revision };
  }

  // ——— changes ———

  async #changeOne(gateway: SimulatedGateway, draw: number): Promise<void> {
    if (this.#isChanging) return;
    this.#isChanging = true;
    await this.#changeRole(gateway, draw);
    this.#isChanging = false;
  }

  /** Removed, what it has must be taken from it first; then made again. */
  #changeRole(gateway: SimulatedGateway, draw: number): Promise<void> {
    const role = this.#roles.at(-1);
    if (role === undefined) return this.#makeRole(gateway);
    const { state, policy, trusted } = role;
    const named = { RoleName: roleName };
    const inline = { ...named, PolicyName: 'own' };
    if (state.newest === 'gone')
      return state.isCertain
        ? this.#makeRole(gateway)
        : this.#change(gateway, state, 'gone', 'DeleteRole', named);
    if (draw === 0) {
      const PolicyDocument = trustOf(this.#account, otherOf(trusted.newest));
      const parameters = { ...named, PolicyDocument };
      const next = otherOf(trusted.newest);
      return this.#change(gateway, trusted, next, 'UpdateAssumeRolePolicy', parameters);
    }
    if (policy.newest !== 'none' || !policy.isCertain)
      if (draw < 3) return this.#change(gateway, policy, 'none', 'DeleteRolePolicy', inline);
    if (draw === 1 && policy.newest === 'none' && policy.isCertain)
      return this.#change(gateway, state, 'gone', 'DeleteRole', named);
    const next = oneOf(this.#random, ['read', 'write'] as const);
    const PolicyDocument = policyText([
      { Effect: 'Allow', Action: actionsOf[next], Resource: '*' },
    ]);
    return this.#change(gateway, policy, next, 'PutRolePolicy', { ...inline, PolicyDocument });
  }

  async #change<T>(
    gateway: SimulatedGateway,
    told: ToldValue<T>,
    value: T,
    action: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<void> {
    const change = told.begin(value, this.#now());
    const isBehind = gateway.client.directory().revision < this.#newestRevision;
    const answer = await this.#asRoot(gateway, action, parameters);
    // The role is gone by an earlier delete that was not answered. Of its policy a gateway that has not heard of an
    // unanswered put says the same.
    const isGone = answer?.status === 404 && action === 'DeleteRole' && !isBehind;
    if (answer?.status === 200 || isGone) change.acknowledged = this.#acknowledged(gateway);
    else if (answer !== undefined && answer.status < 500 && !isBehind)
      if (answer.status !== 404 && answer.status !== 409)
        this.problems.push(`${action} was answered ${wordsOf(answer)}`);
  }

  #acknowledged(gateway: SimulatedGateway): Acknowledged {
    const { revision } = gateway.client.directory();
    this.#newestRevision = Math.max(this.#newestRevision, revision);
    return { at: this.#now(), gateway: gateway.name, revision };
  }

  async #makeRole(gateway: SimulatedGateway): Promise<void> {
    if (this.#hasUnknownRole) return;
    const [trusted = ''] = userNames;
    const state = new ToldValue<'there' | 'gone'>('gone');
    const change = state.begin('there', this.#now());
    const answer = await this.#asRoot(gateway, 'CreateRole', {
      RoleName: roleName,
      AssumeRolePolicyDocument: trustOf(this.#account, trusted),
    });
    const id = answer === undefined ? undefined : elementOf(answer, 'RoleId');
    if (answer?.status !== 200 || id === undefined) {
      this.#hasUnknownRole = true;
      return;
    }
    change.acknowledged = this.#acknowledged(gateway);
    this.#roles.push({
      id,
      arn: elementOf(answer, 'Arn') ?? '',
      state,
      policy: new ToldValue<RolePolicy>('none'),
      trusted: new ToldValue(trusted),
    });
  }

  // ——— decisions ———

  async #take(gateway: SimulatedGateway): Promise<void> {
    const user = this.#users.length === 0 ? undefined : oneOf(this.#random, this.#users);
    const newest = this.#roles.at(-1);
    if (user === undefined || newest === undefined) return;
    const asked = this.#asked(gateway);
    const answer = await this.asker.askForm(gateway, {
      service: 'sts',
      action: 'AssumeRole',
      parameters: { RoleArn: newest.arn, RoleSessionName: 'session' },
      signer: user.signer,
    });
    const verdict = verdictOf(answer);
    if (answer === undefined || answer.status >= 500) return;
    if (this.#mayBeBehind(asked)) return;
    if (verdict?.access === undefined) {
      this.#problem(asked, `AssumeRole by ${user.name} was answered ${wordsOf(answer)}`);
      return;
    }
    const [id = ''] = (elementOf(answer, 'AssumedRoleId') ?? '').split(':');
    if (verdict.access === 'allowed') this.#noteSession(asked, user, id, answer);
    else this.#checkNotLetIn(asked, user);
  }

  #mayBeBehind({ revision }: Asked): boolean {
    return revision < this.#preparedRevision;
  }

  #noteSession(asked: Asked, user: AccountUser, id: string, answer: WholeResponse): void {
    const role = this.#roles.find((each) => each.id === id);
    // It is of one whose making has no answer yet, or will never have one.
    if (role === undefined) {
      if (!this.#isChanging && !this.#hasUnknownRole)
        this.#problem(asked, `${user.name} took role ${id}, which nobody made`);
      return;
    }
    const { states, trusted } = this.#possible(asked, role);
    if (!states.includes('there') || !trusted.includes(user.name))
      this.#problem(
        asked,
        `${user.name} took role ${id}, which may be ${states.join('/')} and trust ${trusted.join('/')}`,
      );
    const accessKey = elementOf(answer, 'AccessKeyId') ?? '';
    const secretKey = elementOf(answer, 'SecretAccessKey') ?? '';
    const token = elementOf(answer, 'SessionToken') ?? '';
    const signer = { accessKey, secretKey, token };
    this.#sessions = [...this.#sessions.slice(1 - sessionsMax), { role, signer }];
  }

  /** No role of the name may have to let the user in. */
  #checkNotLetIn(asked: Asked, user: AccountUser): void {
    for (const role of this.#roles) {
      const { states, trusted } = this.#possible(asked, role);
      if (states.includes('gone') || trusted.some((each) => each !== user.name)) continue;
      this.#problem(asked, `${user.name} could not take role ${role.id}, which trusts it`);
    }
  }

  #possible({ revision }: Asked, role: SimulatedRole) {
    const isHeard = heardOfDirectory(revision);
    const until = this.#now();
    return {
      states: role.state.possible(isHeard, until),
      policies: role.policy.possible(isHeard, until),
      trusted: role.trusted.possible(isHeard, until),
    };
  }

  async #act(
    gateway: SimulatedGateway,
    session: RoleSession,
    wish: Wish,
    mode = 'may fail',
  ): Promise<void> {
    const bucket = this.#bucket;
    if (bucket === undefined) return;
    const asked = this.#asked(gateway);
    const answer = await this.#askAs(gateway, bucket, session, wish);
    const verdict = verdictOf(answer);
    if (answer === undefined || answer.status >= 500) {
      if (mode === 'must answer') this.#problem(asked, `${wish} at the end: ${wordsOf(answer)}`);
      return;
    }
    const { states, policies } = this.#possible(asked, session.role);
    const what = `${wish} by a session of role ${session.role.id}`;
    if (verdict === undefined) {
      this.#problem(asked, `${what} was answered ${wordsOf(answer)}`);
      return;
    }
    if (!states.includes(verdict.key === 'known' ? 'there' : 'gone')) {
      this.#problem(asked, `${what}: its role is ${verdict.key}, and may be ${states.join('/')}`);
      return;
    }
    if (verdict.access === undefined) return;
    const needed: RolePolicy = wish === 'get' ? 'read' : 'write';
    const isPossible = policies.some(
      (policy) => (policy === needed) === (verdict.access === 'allowed'),
    );
    if (!isPossible)
      this.#problem(
        asked,
        `${what} was ${verdict.access}; its policy may be ${policies.join('/')}`,
      );
  }

  async #askAs(
    gateway: SimulatedGateway,
    bucket: S3Bucket,
    { signer }: RoleSession,
    wish: Wish,
  ): Promise<WholeResponse | undefined> {
    if (wish === 'get') {
      const call = { method: 'GET', path: bucket.pathOf(fixedKey), signer };
      const answer = await this.asker.ask(gateway, call);
      if (answer?.status === 200 && decodeUtf8(answer.body) !== fixedKey)
        this.problems.push(`${bucket.name}/${fixedKey} is ${decodeUtf8(answer.body)}`);
      return answer;
    }
    const key = oneOf(this.#random, objectKeys);
    const { body, etag } = this.#values.makeUnique();
    const change: KeyCall = { kind: 'put', etag };
    const operation = this.histories.begin(key, change);
    const call: S3Call = { method: 'PUT', path: bucket.pathOf(key), body, signer };
    const answer = await this.asker.ask(gateway, call);
    if (answer === undefined || answer.status >= 500) return answer;
    if (answer.status >= 300) change.etag = undefined;
    this.histories.end(operation);
    return answer;
  }

  /** What a role's policy lets it do with buckets says nothing of users and roles. */
  async #intrude(gateway: SimulatedGateway, { signer }: RoleSession): Promise<void> {
    const action = oneOf(this.#random, ['CreateUser', 'DeleteRole'] as const);
    const parameters: Readonly<Record<string, string>> =
      action === 'CreateUser' ? { UserName: 'intruder' } : { RoleName: roleName };
    const form = { service: 'iam', action, parameters, signer } as const;
    const answer = await this.asker.askForm(gateway, form);
    if (answer !== undefined && answer.status < 300)
      this.problems.push(`a session of a role was let do what nobody allowed: ${wordsOf(answer)}`);
  }

  async #readAsRoot(gateway: SimulatedGateway, key: string, mode = 'may fail'): Promise<void> {
    const bucket = this.#bucket;
    if (bucket === undefined || this.#root === undefined) return;
    const asked = this.#asked(gateway);
    const { calledAt } = asked;
    const call = { method: 'HEAD', path: bucket.pathOf(key), signer: this.#root };
    const answer = await this.asker.ask(gateway, call);
    if (answer?.status === 404)
      return this.histories.noteRead(key, { kind: 'read', etag: '' }, calledAt);
    if (answer?.status === 200) {
      const etag = etagOf(answer);
      return this.histories.noteRead(key, { kind: 'read', etag }, calledAt);
    }
    const isExcused = answer === undefined || answer.status >= 500 || this.#mayBeBehind(asked);
    if (mode === 'must answer' || !isExcused)
      this.#problem(asked, `HEAD ${key} by the root: ${wordsOf(answer)}`);
  }

  #problem({ gateway, calledAt, revision }: Asked, what: string): void {
    this.problems.push(
      `asked ${gateway.name} at ${calledAt.toFixed(1)} ms with directory ${revision}: ${what}`,
    );
  }
}

function otherOf(name: string): string {
  return userNames.find((each) => each !== name) ?? name;
}

function trustOf(account: string, user: string): string {
  const Principal = { AWS: `arn:aws:iam::${account}:user/${user}` };
  return policyText([{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal }]);
}
