// Users, their keys and what lets them in, changed at one gateway and decided on at all. Each decision must be one that
// follows from what was in force when it was made:
//
// - a bucket's policy and access list are acted on at once by the gateway that acknowledged them, by any other two
//   seconds later (`rememberedMsMax`);
// - the directory (users, keys, policies of users) is acted on by the gateway that acknowledged the change, and by each
//   that has that revision; who is in touch with the monitor has it within two seconds.
//
// What was not acknowledged may be in force or not. What was refused never changed anything: keys are checked as
// everywhere, and a policy that an intruder put would let in whom nobody let in.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { KeyHistories } from './key-histories.ts';
import type { Model } from './linearizability.ts';
import { elementOf, oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import type { FormCall, S3Call, Signer } from './s3-request.ts';
import { S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import {
  type Acknowledged,
  heardMsMax,
  heardOfBucket,
  heardOfDirectory,
  type ToldChange,
  ToldValue,
} from './told-value.ts';

/** States are ETags; empty: there is no such key. */
export type KeyCall =
  /** Undefined: it was refused. */
  | { readonly kind: 'put'; etag: string | undefined }
  | { readonly kind: 'read'; readonly etag: string };

export const keyModel: Model<string, KeyCall> = (state, call) => {
  if (call.kind === 'read') return state === call.etag ? state : undefined;
  return call.etag ?? state;
};

type KeyState = 'active' | 'inactive' | 'gone';

interface UserKey extends Signer {
  readonly state: ToldValue<KeyState>;
}

/** What a user's own policy says of the buckets. */
type OwnPolicy = 'none' | 'allow' | 'deny';

interface SimulatedUser {
  readonly name: string;
  readonly keys: UserKey[];
  readonly policy: ToldValue<OwnPolicy>;
  sessions: readonly Signer[];
  /** One may have been made without an answer: whether none is active is not known any more. */
  hasUnknownKeys: boolean;
}

interface SharedBucket {
  readonly bucket: S3Bucket;
  /** Users whom its policy lets write, read and delete. */
  readonly policy: ToldValue<readonly string[]>;
  /** Users whom its access list lets list. */
  readonly acl: ToldValue<readonly string[]>;
}

type Wish = 'put' | 'get' | 'remove' | 'list';

/** A request as it was sent, for what its answer is judged by. */
interface Asked {
  readonly gateway: SimulatedGateway;
  readonly calledAt: number;
  /** Of the directory that the gateway had then. */
  readonly revision: number;
}

export interface Verdict {
  readonly key: 'known' | 'unknown';
  readonly access: 'allowed' | 'denied' | undefined;
}

/** A user for whom nobody else makes or changes anything. */
interface Actor {
  readonly user: SimulatedUser;
  readonly signer: Signer;
  /** Undefined: a session, which lives as long as any key does. */
  readonly key: UserKey | undefined;
}

interface Due {
  readonly at: number;
  readonly shared: SharedBucket;
  readonly user: SimulatedUser;
  readonly wish: Wish;
}

const userNames = ['ann', 'bob'];
const objectKeys = ['o', 'p'];
/** Put once, by the bucket's owner: whoever may read it, finds it. */
const fixedKey = 'fixed';

/** How long a gateway that has a monitor may be without its newest directory: it may have to connect anew first. */
const directoryMsMax = 2000;
const connectMsMax = 8000;

/** As the monitor that runs knows it. */
interface MonitorInSight {
  readonly identity: object;
  /** Of its directory. */
  readonly revision: number;
  /** When a gateway and it were last cut off from each other, in virtual milliseconds. */
  lastApart(gateway: string): number;
}

/** A bucket whose configuration is unknown is left for a new one, so often. */
const bucketsMax = 4;
const keysPerUserMax = 5;

export class UsersWorkload implements S3Load {
  readonly problems: string[] = [];
  operations = 0;
  gateways: () => readonly SimulatedGateway[] = () => [];
  /** The monitor that runs now, and its directory's revision; undefined: none does. */
  monitor: () => MonitorInSight | undefined = () => undefined;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #values: S3Values;
  readonly asker: S3Asker;
  readonly histories: KeyHistories<KeyCall>;
  readonly #users: SimulatedUser[] = [];
  readonly #buckets: SharedBucket[] = [];
  #isMakingBucket = false;
  /** Begun, and perhaps there: not all answers came. */
  #begunBucket: S3Bucket | undefined;
  /** By gateway: what is to be asked there once it must have heard of a change that another has made. */
  readonly #due = new Map<string, Due>();
  /** Since when a gateway runs and its monitor does. */
  readonly #inTouch = new Map<string, { readonly monitor: object; readonly since: number }>();
  #newestChange: Acknowledged | undefined;

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
    this.asker = new S3Asker(this.problems);
    this.histories = new KeyHistories(now, keyModel);
  }

  async prepare(gateway: SimulatedGateway): Promise<void> {
    for (const name of userNames) {
      this.#users.push({
        name,
        keys: [],
        policy: new ToldValue<OwnPolicy>('none'),
        sessions: [],
        hasUnknownKeys: false,
      });
      const made = await this.#form(gateway, 'CreateUser', { UserName: name });
      if (made?.status !== 200) this.problems.push(`user ${name}: ${wordsOf(made)}`);
    }
    for (const user of this.#users) await this.#makeKey(gateway, user);
    while (this.#buckets.length === 0) {
      await this.#makeBucket(gateway);
      if (this.problems.length > 0) return;
    }
  }

  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    this.#checkHeard(gateway);
    const user = oneOf(this.#random, this.#users);
    const shared = this.#buckets.at(-1);
    if (shared === undefined) return;
    const due = this.#due.get(gateway.name);
    if (due !== undefined && this.#now() >= due.at) {
      this.#due.delete(gateway.name);
      return this.#actAs(gateway, due.user, due.shared, due.wish);
    }
    switch (this.#random.below(16)) {
      case 0:
      case 1:
        return this.#changeKey(gateway, user);
      case 2:
        return this.#changeOwnPolicy(gateway, user);
      case 3:
      case 4:
        return this.#changePolicy(gateway, shared);
      case 5:
        return this.#changeAcl(gateway, shared);
      case 6:
        return this.#beginSession(gateway, user);
      case 7:
        return this.#intrude(gateway, user, shared);
      case 8:
        return this.#list(gateway, shared);
      case 9:
        return this.#makeBucketIfNeeded(gateway);
      default:
        return this.#actAs(gateway, user, shared, oneOf(this.#random, wishes));
    }
  }

  /** At each gateway that serves: none may be behind any more. */
  async readAll(gateway: SimulatedGateway): Promise<void> {
    const alive = this.gateways().filter(({ process }) => process.isAlive);
    const shared = this.#buckets.at(-1);
    if (shared === undefined) return;
    for (const each of new Set([gateway, ...alive])) {
      const { revision } = each.client.directory();
      const newest = this.monitor()?.revision;
      if (newest !== undefined && revision < newest)
        this.problems.push(`${each.name} has directory ${revision}, the newest is ${newest}`);
      for (const user of this.#users)
        for (const key of user.keys)
          for (const wish of ['get', 'list'] as const)
            await this.#act(each, { user, signer: key, key }, shared, wish, 'must answer');
      await this.#list(each, shared);
    }
  }

  async removeAll(gateway: SimulatedGateway): Promise<void> {
    for (const { bucket } of this.#buckets) await bucket.remove(gateway);
    await this.#begunBucket?.removeBegun(gateway);
  }

  checkHistories(): string[] {
    return this.histories.check('key of users');
  }

  // ——— asking ———

  #form(
    gateway: SimulatedGateway,
    action: string,
    parameters: Readonly<Record<string, string>> = {},
    signer?: Signer,
  ): Promise<WholeResponse | undefined> {
    const service: FormCall['service'] = action === 'GetSessionToken' ? 'sts' : 'iam';
    const call = { service, action, parameters, ...(signer === undefined ? {} : { signer }) };
    return this.asker.askForm(gateway, call);
  }

  #asked(gateway: SimulatedGateway): Asked {
    const { revision } = gateway.client.directory();
    return { gateway, calledAt: this.#now(), revision };
  }

  // ——— changes ———

  /** `true`: done; `false`: refused; undefined: unknown. */
  async #change<T>(
    gateway: SimulatedGateway,
    told: ToldValue<T>,
    value: T,
    change: () => Promise<boolean | undefined>,
  ): Promise<void> {
    if (told.isChanging) return;
    told.isChanging = true;
    const begun = told.begin(value, this.#now());
    const isDone = await change();
    told.isChanging = false;
    if (isDone === true) this.#acknowledge(gateway, begun);
    if (isDone === false) told.forget(begun);
  }

  #acknowledge<T>(gateway: SimulatedGateway, change: ToldChange<T>): void {
    const { revision } = gateway.client.directory();
    change.acknowledged = { at: this.#now(), gateway: gateway.name, revision };
  }

  /** A change of the directory. */
  async #changeDirectory<T>(
    gateway: SimulatedGateway,
    told: ToldValue<T>,
    value: T,
    action: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.#change(gateway, told, value, async () => {
      const isHeard = (): boolean =>
        told.isHeard(heardOfDirectory(gateway.client.directory().revision));
      const wasHeard = isHeard();
      const answer = await this.#form(gateway, action, parameters);
      if (answer?.status === 200) {
        this.#noteNewest(gateway);
        return true;
      }
      if (answer?.status === 404) {
        // What it was about is gone by an earlier change that was not answered.
        if (wasHeard) return true;
        // Or the gateway, which was without the newest directory, did not know it yet.
        return isHeard() ? undefined : false;
      }
      if (answer !== undefined && answer.status < 500 && answer.status !== 409)
        this.problems.push(`${action} was answered ${wordsOf(answer)}`);
      return undefined;
    });
  }

  #noteNewest(gateway: SimulatedGateway): void {
    const { revision } = gateway.client.directory();
    if (revision <= (this.#newestChange?.revision ?? 0)) return;
    this.#newestChange = { at: this.#now(), gateway: gateway.name, revision };
  }

  async #makeKey(gateway: SimulatedGateway, user: SimulatedUser): Promise<void> {
    if (user.keys.length >= keysPerUserMax) return;
    const state = new ToldValue<KeyState>('gone');
    const begun = state.begin('active', this.#now());
    const answer = await this.#form(gateway, 'CreateAccessKey', { UserName: user.name });
    const accessKey = answer === undefined ? undefined : elementOf(answer, 'AccessKeyId');
    const secretKey = answer === undefined ? undefined : elementOf(answer, 'SecretAccessKey');
    if (accessKey === undefined || secretKey === undefined) {
      user.hasUnknownKeys = true;
      return;
    }
    this.#acknowledge(gateway, begun);
    this.#noteNewest(gateway);
    user.keys.push({ accessKey, secretKey, state });
  }

  async #changeKey(gateway: SimulatedGateway, user: SimulatedUser): Promise<void> {
    const key = user.keys.findLast(({ state }) => state.newest !== 'gone');
    if (key === undefined) return this.#makeKey(gateway, user);
    const named = { UserName: user.name, AccessKeyId: key.accessKey };
    if (this.#random.below(4) === 0)
      return this.#changeDirectory(gateway, key.state, 'gone', 'DeleteAccessKey', named);
    const isActive = key.state.newest === 'active';
    return this.#changeDirectory(
      gateway,
      key.state,
      isActive ? 'inactive' : 'active',
      'UpdateAccessKey',
      { ...named, Status: isActive ? 'Inactive' : 'Active' },
    );
  }

  #changeOwnPolicy(gateway: SimulatedGateway, user: SimulatedUser): Promise<void> {
    const named = { UserName: user.name, PolicyName: 'own' };
    const next = user.policy.newest === 'none' && user.policy.isCertain ? this.#drawOwn() : 'none';
    if (next === 'none')
      return this.#changeDirectory(gateway, user.policy, next, 'DeleteUserPolicy', named);
    const PolicyDocument = policyText([
      { Effect: next === 'deny' ? 'Deny' : 'Allow', Action: actions, Resource: '*' },
    ]);
    return this.#changeDirectory(gateway, user.policy, next, 'PutUserPolicy', {
      ...named,
      PolicyDocument,
    });
  }

  #drawOwn(): OwnPolicy {
    return this.#random.below(2) === 0 ? 'allow' : 'deny';
  }

  #drawNames(): readonly string[] {
    return userNames.filter(() => this.#random.below(2) === 0);
  }

  /**
   * A document of a bucket. A put without answer may be done much later, after another, so that the bucket is not
   * changed any more.
   */
  #changeDocument(
    gateway: SimulatedGateway,
    told: ToldValue<readonly string[]>,
    names: readonly string[],
    call: S3Call,
  ): Promise<void> {
    if (!told.isCertain) return Promise.resolve();
    return this.#change(gateway, told, names, async () => {
      const answer = await this.asker.ask(gateway, call);
      if (answer !== undefined && answer.status < 300) return true;
      if (answer !== undefined && answer.status < 500)
        this.problems.push(`${call.method} ${call.path} was answered ${wordsOf(answer)}`);
      return undefined;
    });
  }

  async #changePolicy(gateway: SimulatedGateway, shared: SharedBucket): Promise<void> {
    const { bucket, policy } = shared;
    const names = this.#drawNames();
    const call = { path: `/${bucket.name}`, query: { policy: '' } };
    const body = encodeUtf8(bucketPolicy(bucket.name, names));
    await this.#changeDocument(
      gateway,
      policy,
      names,
      names.length === 0 ? { ...call, method: 'DELETE' } : { ...call, method: 'PUT', body },
    );
    this.#askOthersLater(gateway, shared, names, 'get');
  }

  /** As somebody whom the change has not let in, or has put out. */
  #askOthersLater(
    gateway: SimulatedGateway,
    shared: SharedBucket,
    names: readonly string[],
    wish: Wish,
  ): void {
    const user = this.#users.find(({ name }) => !names.includes(name));
    if (user === undefined) return;
    const due = { at: this.#now() + heardMsMax, shared, user, wish };
    for (const { name } of this.gateways()) if (name !== gateway.name) this.#due.set(name, due);
  }

  async #changeAcl(gateway: SimulatedGateway, shared: SharedBucket): Promise<void> {
    const { bucket, acl } = shared;
    const names = this.#drawNames();
    const headers: Record<string, string> = { 'x-amz-grant-full-control': 'id=admin' };
    if (names.length > 0) headers['x-amz-grant-read'] = names.map((each) => `id=${each}`).join(',');
    const query = { acl: '' };
    const call = { method: 'PUT', path: `/${bucket.name}`, query, headers };
    await this.#changeDocument(gateway, acl, names, call);
    this.#askOthersLater(gateway, shared, names, 'list');
  }

  async #makeBucketIfNeeded(gateway: SimulatedGateway): Promise<void> {
    const shared = this.#buckets.at(-1);
    const isKnown = [shared?.policy, shared?.acl].every(
      (told) => told?.isChanging === true || told?.isCertain === true,
    );
    if (isKnown || this.#isMakingBucket || this.#buckets.length >= bucketsMax) return;
    this.#isMakingBucket = true;
    await this.#makeBucket(gateway);
    this.#isMakingBucket = false;
  }

  async #makeBucket(gateway: SimulatedGateway): Promise<void> {
    const name = `shared-${this.#buckets.length}`;
    const bucket = new S3Bucket(name, this.asker, this.problems);
    this.#begunBucket = bucket;
    const made = await this.asker.ask(gateway, { method: 'PUT', path: `/${name}` });
    if (made?.status !== 200 && made?.status !== 409) return;
    const call = { method: 'PUT', path: bucket.pathOf(fixedKey), body: encodeUtf8(fixedKey) };
    const put = await this.asker.ask(gateway, call);
    if (put?.status !== 200) return;
    this.#begunBucket = undefined;
    this.#buckets.push({
      bucket,
      policy: new ToldValue<readonly string[]>([]),
      acl: new ToldValue<readonly string[]>([]),
    });
  }

  // ——— decisions ———

  #actAs(
    gateway: SimulatedGateway,
    user: SimulatedUser,
    shared: SharedBucket,
    wish: Wish,
  ): Promise<void> {
    const actors: Actor[] = [
      ...user.keys.slice(-2).map((key) => ({ user, signer: key, key })),
      ...user.sessions.map((signer) => ({ user, signer, key: undefined })),
    ];
    if (actors.length === 0) return Promise.resolve();
    return this.#act(gateway, oneOf(this.#random, actors), shared, wish);
  }

  async #act(
    gateway: SimulatedGateway,
    actor: Actor,
    shared: SharedBucket,
    wish: Wish,
    mode = 'may fail',
  ): Promise<void> {
    const { bucket } = shared;
    const { signer } = actor;
    const key = oneOf(this.#random, objectKeys);
    const name = `${bucket.name}/${key}`;
    const asked = this.#asked(gateway);
    const change = (call: S3Call, etag: string): Promise<WholeResponse | undefined> =>
      this.#changeKeyAs(gateway, name, { ...call, signer }, etag);
    let answer: WholeResponse | undefined;
    switch (wish) {
      case 'put': {
        const { body, etag } = this.#values.makeUnique();
        answer = await change({ method: 'PUT', path: bucket.pathOf(key), body }, etag);
        break;
      }
      case 'remove':
        answer = await change({ method: 'DELETE', path: bucket.pathOf(key) }, '');
        break;
      case 'get': {
        const call = { method: 'GET', path: bucket.pathOf(fixedKey), signer };
        answer = await this.asker.ask(gateway, call);
        if (answer?.status === 200 && decodeUtf8(answer.body) !== fixedKey)
          this.problems.push(`${bucket.name}/${fixedKey} is ${decodeUtf8(answer.body)}`);
        break;
      }
      case 'list':
        answer = await this.asker.ask(gateway, { ...listOf(bucket), signer });
        if (answer?.status === 200) this.#noteListed(bucket, answer, asked.calledAt);
        break;
    }
    const verdict = verdictOf(answer);
    if (verdict !== undefined) {
      const what = `${wish} of ${actor.user.name} at ${bucket.name}`;
      this.#judge(asked, what, verdict, { actor, shared, wish });
    } else if (answer !== undefined && answer.status < 500)
      this.problems.push(`${wish} of ${actor.user.name} was answered ${wordsOf(answer)}`);
    else if (mode === 'must answer')
      this.problems.push(`${wish} of ${actor.user.name} at the end: ${wordsOf(answer)}`);
  }

  /** What was refused is no change: were it one all the same, whoever reads the key would tell. */
  async #changeKeyAs(
    gateway: SimulatedGateway,
    name: string,
    call: S3Call,
    etag: string,
  ): Promise<WholeResponse | undefined> {
    const change: KeyCall = { kind: 'put', etag };
    const operation = this.histories.begin(name, change);
    const answer = await this.asker.ask(gateway, call);
    if (answer === undefined || answer.status >= 500) return answer;
    if (answer.status >= 300) change.etag = undefined;
    this.histories.end(operation);
    return answer;
  }

  /** Two policies, an access list and keys decide together; one of what they may have been must say the same. */
  #judge(
    asked: Asked,
    what: string,
    verdict: Verdict,
    about: {
      readonly actor: Actor;
      readonly shared?: SharedBucket;
      readonly wish?: Wish;
    },
  ): void {
    const until = this.#now();
    const { user, key } = about.actor;
    const isHeard = heardOfBucket(asked.gateway.name, asked.calledAt);
    const isThere = heardOfDirectory(asked.revision);
    const statesOf = (each: UserKey): readonly KeyState[] => each.state.possible(isThere, until);
    const keys = key === undefined ? user.keys : [key];
    const mayBeKnown = keys.some((each) => statesOf(each).includes('active'));
    const mayBeUnknown = keys.every((each) => statesOf(each).some((state) => state !== 'active'));
    const isSession = key === undefined && user.hasUnknownKeys;
    if (verdict.key === 'known' ? !mayBeKnown && !isSession : !mayBeUnknown) {
      const states = keys.map((each) => statesOf(each).join('/')).join(', ');
      this.#problem(asked, `${what}: its key is ${verdict.key} there, and may be ${states}`);
      return;
    }
    const { shared, wish } = about;
    if (shared === undefined || wish === undefined || verdict.access === undefined) return;
    const own = user.policy.possible(isThere, until);
    const lists = (wish === 'list' ? shared.acl : shared.policy).possible(isHeard, until);
    const isPossible = own.some((policy) =>
      lists.some((names) => {
        const allowed = policy !== 'deny' && (policy === 'allow' || names.includes(user.name));
        return allowed === (verdict.access === 'allowed');
      }),
    );
    if (isPossible) return;
    this.#problem(
      asked,
      `${what} was ${verdict.access}; its own policy may be ${own.join('/')}, let in may be [${lists.join('] [')}]`,
    );
  }

  #problem({ gateway, calledAt, revision }: Asked, what: string): void {
    this.problems.push(
      `asked ${gateway.name} at ${calledAt.toFixed(1)} ms with directory ${revision}: ${what}`,
    );
  }

  async #beginSession(gateway: SimulatedGateway, user: SimulatedUser): Promise<void> {
    const key = user.keys.at(-1);
    if (key === undefined) return;
    const asked = this.#asked(gateway);
    const answer = await this.#form(gateway, 'GetSessionToken', {}, key);
    if (answer === undefined || answer.status >= 500) return;
    const what = `session of ${user.name}`;
    const isKnown = answer.status === 200;
    const verdict = { key: isKnown ? 'known' : 'unknown', access: undefined } as const;
    this.#judge(asked, what, verdict, { actor: { user, signer: key, key } });
    const accessKey = elementOf(answer, 'AccessKeyId');
    const secretKey = elementOf(answer, 'SecretAccessKey');
    const token = elementOf(answer, 'SessionToken');
    if (accessKey !== undefined && secretKey !== undefined && token !== undefined)
      user.sessions = [...user.sessions.slice(-1), { accessKey, secretKey, token }];
  }

  /** What no policy here lets anybody do but the owner. */
  async #intrude(
    gateway: SimulatedGateway,
    user: SimulatedUser,
    { bucket }: SharedBucket,
  ): Promise<void> {
    const signers = [...user.keys.slice(-2), ...user.sessions];
    if (signers.length === 0) return;
    const signer = oneOf(this.#random, signers);
    const path = `/${bucket.name}`;
    const body = encodeUtf8(bucketPolicy(bucket.name, userNames));
    const PolicyDocument = policyText([{ Effect: 'Allow', Action: 's3:*', Resource: '*' }]);
    const own = { UserName: user.name, PolicyName: 'own', PolicyDocument };
    const tries = [
      () => this.asker.ask(gateway, { method: 'PUT', path, query: { policy: '' }, body, signer }),
      () => this.asker.ask(gateway, { method: 'DELETE', path, query: { policy: '' }, signer }),
      () => this.#form(gateway, 'PutUserPolicy', own, signer),
      () => this.#form(gateway, 'CreateAccessKey', { UserName: user.name }, signer),
    ];
    const answer = await oneOf(this.#random, tries)();
    if (answer !== undefined && answer.status < 300)
      this.problems.push(`${user.name} was let do what nobody allowed: ${wordsOf(answer)}`);
  }

  /** By the owner. */
  async #list(gateway: SimulatedGateway, { bucket }: SharedBucket): Promise<void> {
    const calledAt = this.#now();
    const answer = await this.asker.ask(gateway, listOf(bucket));
    if (answer?.status === 200) this.#noteListed(bucket, answer, calledAt);
  }

  #noteListed(bucket: S3Bucket, answer: WholeResponse, calledAt: number): void {
    const text = decodeUtf8(answer.body);
    const entries = /<Key>([^<]*)<\/Key>[\s\S]*?<ETag>(?:&quot;|"|&#34;)([^&"]*)/g;
    const found = new Map([...text.matchAll(entries)].map(([, key, etag]) => [key, etag ?? '']));
    for (const key of objectKeys) {
      const call = { kind: 'read', etag: found.get(key) ?? '' } as const;
      this.histories.noteRead(`${bucket.name}/${key}`, call, calledAt);
    }
    if (!found.has(fixedKey)) this.problems.push(`LIST of ${bucket.name} lacks ${fixedKey}`);
  }

  /** Who is in touch with a monitor has its newest directory. */
  #checkHeard(gateway: SimulatedGateway): void {
    const now = this.#now();
    const monitor = this.monitor();
    const isUp = monitor !== undefined && gateway.process.isAlive && !gateway.process.isPaused;
    if (!isUp) {
      this.#inTouch.delete(gateway.name);
      return;
    }
    const before = this.#inTouch.get(gateway.name);
    if (before?.monitor !== monitor.identity) {
      this.#inTouch.set(gateway.name, { monitor: monitor.identity, since: now });
      return;
    }
    const change = this.#newestChange;
    const since = Math.max(before.since, monitor.lastApart(gateway.name));
    if (change === undefined || now < since + connectMsMax) return;
    const { revision } = gateway.client.directory();
    if (now < change.at + directoryMsMax || revision >= change.revision) return;
    this.problems.push(
      `at ${now.toFixed(1)} ms ${gateway.name} has directory ${revision}; ${change.gateway} acknowledged ${change.revision} at ${change.at.toFixed(1)}`,
    );
  }
}

const wishes: readonly Wish[] = ['put', 'put', 'get', 'get', 'list', 'remove'];

const actions = ['s3:PutObject', 's3:GetObject', 's3:DeleteObject', 's3:ListBucket'];

export function policyText(statements: readonly object[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

/** Lets them do all but list, which is the access list's to say. */
function bucketPolicy(bucket: string, names: readonly string[]): string {
  const principals = names.map((name) => `arn:aws:iam:::user/${name}`);
  return policyText([
    {
      Effect: 'Allow',
      Principal: { AWS: principals },
      Action: actions.slice(0, 3),
      Resource: `arn:aws:s3:::${bucket}/*`,
    },
  ]);
}

function listOf(bucket: S3Bucket): S3Call {
  return { method: 'GET', path: `/${bucket.name}`, query: { 'list-type': '2' } };
}

export function wordsOf(answer: WholeResponse | undefined): string {
  return answer === undefined ? 'nothing' : `${answer.status} ${decodeUtf8(answer.body)}`;
}

/** What an answer says of key and policies; undefined: neither. */
export function verdictOf(answer: WholeResponse | undefined): Verdict | undefined {
  if (answer === undefined) return undefined;
  if (answer.status < 300) return { key: 'known', access: 'allowed' };
  switch (elementOf(answer, 'Code')) {
    case 'AccessDenied':
      return { key: 'known', access: 'denied' };
    case 'InvalidAccessKeyId':
    case 'InvalidToken':
      return { key: 'unknown', access: undefined };
    default:
      return undefined;
  }
}
