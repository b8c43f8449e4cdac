// What lets anybody at a bucket beside its owner, changed while all gateways go by it: the block of public access, a
// policy and access lists that make things public, who owns what another user puts, and the CORS rules that browsers
// ask for. Each answer must follow from settings that may be in force at its gateway: those that it acknowledged itself
// at once, what another did two seconds later, what nobody acknowledged either way. Whoever changes one of them looks
// the bucket up, and so acts on all that was acknowledged before.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { HttpRequest } from '../env/http.ts';
import type { Random } from '../env/random.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import {
  type Answered,
  absent,
  accessModel,
  type BucketAcl,
  blockFlags,
  corsAnswer,
  corsRules,
  exposedBy,
  isPublicList,
  isPublicPolicy,
  mayList,
  type ObjectAcl,
  type ObjectCall,
  type OwnershipName,
  type PolicyName,
  type PutCall,
  type PutListCall,
  policyActions,
  putOutcome,
  type ReadCall,
  type Settings,
  viewsOf,
  type Who,
} from './access-settings.ts';
import { KeyHistories } from './key-histories.ts';
import { elementOf, oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import { type S3Call, type Signer, sourceOf } from './s3-request.ts';
import { etagOf, headerOf, S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import { type Acknowledged, heardMsMax, heardOfBucket, ToldValue } from './told-value.ts';
import { policyText, wordsOf } from './users-workload.ts';

const policies: readonly PolicyName[] = ['none', 'public', 'user', 'mixed'];

const bucketAcls: readonly BucketAcl[] = [
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
];

const ownerships: readonly OwnershipName[] = [
  'none',
  'BucketOwnerEnforced',
  'BucketOwnerPreferred',
  'ObjectWriter',
];

const objectAcls: readonly ObjectAcl[] = [
  'private',
  'public-read',
  'authenticated-read',
  'bucket-owner-full-control',
];

const origins = ['http://a.test', 'http://b.test', 'http://c.example'];
const methods = ['GET', 'PUT', 'DELETE'];
const everyone: readonly Who[] = ['admin', 'eve', ''];
/** The owner of the bucket can put what it likes, the others mostly look. */
const writers: readonly Who[] = ['admin', 'admin', 'eve', 'eve', ''];
const readers: readonly Who[] = ['admin', 'eve', 'eve', '', ''];
const objectKeys = ['o', 'p'];

/** A change without an answer may be made much later: its bucket is left for a new one, so often. */
const bucketsMax = 4;
const attemptsMax = 5;

/** A page hears nothing of CORS when the bucket can't be looked up then, which takes longer than this. */
const lookMsMin = 1000;

interface SharedBucket {
  readonly bucket: S3Bucket;
  readonly block: ToldValue<string>;
  readonly policy: ToldValue<PolicyName>;
  readonly acl: ToldValue<BucketAcl>;
  readonly ownership: ToldValue<OwnershipName>;
  /** Which of the rules. */
  readonly cors: ToldValue<number>;
}

type Setting = Exclude<keyof SharedBucket, 'bucket'>;

const settings: readonly Setting[] = ['block', 'policy', 'acl', 'ownership', 'cors'];

/** A change of one of them, and what has to be in force for it to be made, or refused so. */
interface Change<T> {
  readonly value: T;
  readonly call: S3Call;
  /** Undefined: it is made. */
  readonly refusal?: (settings: Settings) => string | undefined;
}

/** A request as it was sent, for what its answer is judged by. */
interface Asked {
  readonly gateway: SimulatedGateway;
  readonly calledAt: number;
}

export class AccessSettingsWorkload implements S3Load {
  readonly problems: string[] = [];
  readonly asker = new S3Asker(this.problems);
  readonly histories: KeyHistories<ObjectCall>;
  operations = 0;
  gateways: () => readonly SimulatedGateway[] = () => [];
  readonly #random: Random;
  readonly #now: () => number;
  readonly #values: S3Values;
  readonly #buckets: SharedBucket[] = [];
  /** The other user, and of which directory on gateways know it. */
  #eve: { readonly signer: Signer; readonly revision: number } | undefined;
  /** It is made, perhaps, and not used yet. */
  #begunBucket: S3Bucket | undefined;
  #isMakingBucket = false;
  /** By gateway: what is to be asked there once it must have heard of a change that another has made. */
  readonly #due = new Map<string, { readonly at: number; readonly setting: Setting }>();

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
    this.histories = new KeyHistories(now, accessModel);
  }

  async prepare(gateway: SimulatedGateway): Promise<void> {
    const made = await this.asker.askForm(gateway, {
      service: 'iam',
      action: 'CreateUser',
      parameters: { UserName: 'eve' },
    });
    if (made?.status !== 200) this.problems.push(`user eve: ${wordsOf(made)}`);
    const key = await this.asker.askForm(gateway, {
      service: 'iam',
      action: 'CreateAccessKey',
      parameters: { UserName: 'eve' },
    });
    const accessKey = key && elementOf(key, 'AccessKeyId');
    const secretKey = key && elementOf(key, 'SecretAccessKey');
    const { revision } = gateway.client.directory();
    if (accessKey === undefined || secretKey === undefined)
      this.problems.push(`a key of eve: ${wordsOf(key)}`);
    else this.#eve = { signer: { accessKey, secretKey }, revision };
    for (let attempt = 0; attempt < attemptsMax && this.#buckets.length === 0; attempt++)
      await this.#makeBucket(gateway);
  }

  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    const shared = this.#buckets.at(-1);
    if (shared === undefined) return;
    const due = this.#due.get(gateway.name);
    if (due !== undefined && this.#now() >= due.at) {
      this.#due.delete(gateway.name);
      return this.#lookAt(gateway, shared, due.setting);
    }
    switch (this.#random.below(12)) {
      case 0:
      case 1:
      case 2:
        return this.#change(gateway, shared);
      case 3:
        return this.#replaceIfUnknown(gateway, shared);
      case 4:
      case 5:
        return this.#put(gateway, shared);
      case 6:
        return this.#putList(gateway, shared);
      case 7:
        return this.#putListBesideAPut(gateway, shared);
      case 8:
        return this.#remove(gateway, shared);
      case 9:
        return this.#readSetting(gateway, shared, oneOf(this.#random, settings));
      default:
        return this.#lookAt(gateway, shared, oneOf(this.#random, settings));
    }
  }

  async readAll(gateway: SimulatedGateway): Promise<void> {
    for (const shared of this.#buckets) {
      for (const setting of settings)
        await this.#readSetting(gateway, shared, setting, 'must answer');
      for (const who of everyone) {
        await this.#list(gateway, shared, who, 'must answer');
        for (const key of objectKeys) {
          await this.#read(gateway, shared, { who, key, mode: 'must answer' });
          await this.#readList(gateway, shared, { who, key, mode: 'must answer' });
        }
      }
      for (const origin of origins)
        for (const method of methods)
          await this.#preflight(gateway, shared, { origin, method, mode: 'must answer' });
    }
  }

  async removeAll(gateway: SimulatedGateway): Promise<void> {
    for (const { bucket } of this.#buckets) await bucket.remove(gateway);
    await this.#begunBucket?.removeBegun(gateway);
  }

  checkHistories(): string[] {
    return this.histories.check('object that others may see');
  }

  // ——— buckets ———

  async #makeBucket(gateway: SimulatedGateway): Promise<void> {
    const bucket = new S3Bucket(`settings-${this.#buckets.length}`, this.asker, this.problems);
    this.#begunBucket = bucket;
    const made = await this.asker.ask(gateway, { method: 'PUT', path: `/${bucket.name}` });
    // One that was made without an answer is made already, and nobody has configured it.
    if (made?.status !== 200 && made?.status !== 409) return;
    this.#begunBucket = undefined;
    this.#buckets.push({
      bucket,
      block: new ToldValue('none'),
      policy: new ToldValue<PolicyName>('none'),
      acl: new ToldValue<BucketAcl>('private'),
      ownership: new ToldValue<OwnershipName>('none'),
      cors: new ToldValue(0),
    });
  }

  async #replaceIfUnknown(gateway: SimulatedGateway, shared: SharedBucket): Promise<void> {
    const isKnown = settings.every((each) => shared[each].isChanging || shared[each].isCertain);
    if (isKnown || this.#isMakingBucket || this.#buckets.length >= bucketsMax) return;
    this.#isMakingBucket = true;
    await this.#makeBucket(gateway);
    this.#isMakingBucket = false;
  }

  // ——— what may be in force ———

  /** `looked-up`: by whoever asks the registry itself. */
  #isHeard(
    { gateway, calledAt }: Asked,
    freshness: 'remembered' | 'looked-up' = 'remembered',
  ): (acknowledged: Acknowledged) => boolean {
    if (freshness === 'remembered') return heardOfBucket(gateway.name, calledAt);
    return ({ at }) => calledAt >= at;
  }

  #possible(
    asked: Asked,
    shared: SharedBucket,
    freshness: 'remembered' | 'looked-up' = 'remembered',
  ): readonly Settings[] {
    const isHeard = this.#isHeard(asked, freshness);
    const of = <T>(told: ToldValue<T>): readonly T[] => [
      ...new Set(told.possible(isHeard, this.#now())),
    ];
    return of(shared.block).flatMap((block) =>
      of(shared.policy).flatMap((policy) =>
        of(shared.acl).flatMap((acl) =>
          of(shared.ownership).map((ownership) => ({ block, policy, acl, ownership })),
        ),
      ),
    );
  }

  #problem({ gateway, calledAt }: Asked, what: string, possible: unknown): void {
    this.problems.push(
      `asked ${gateway.name} at ${calledAt.toFixed(1)} ms: ${what}; in force may be ${JSON.stringify(possible)}`,
    );
  }

  // ——— changes ———

  #change(gateway: SimulatedGateway, shared: SharedBucket): Promise<void> {
    const path = `/${shared.bucket.name}`;
    const put = (subresource: string, body?: string): S3Call => ({
      method: body === undefined ? 'DELETE' : 'PUT',
      path,
      query: { [subresource]: '' },
      ...(body === undefined ? {} : { body: encodeUtf8(body) }),
    });
    switch (oneOf(this.#random, settings)) {
      case 'block': {
        const value = this.#drawBlock();
        const call = put('publicAccessBlock', blockDocument(value));
        return this.#apply(gateway, shared, shared.block, 'block', { value, call });
      }
      case 'policy': {
        const value = this.#drawOther(policies, shared.policy.newest);
        const call = put('policy', policyDocument(shared.bucket.name, value));
        const refusal = ({ block }: Settings): string | undefined =>
          block.includes('P') && isPublicPolicy(value) ? 'AccessDenied' : undefined;
        return this.#apply(gateway, shared, shared.policy, 'policy', { value, call, refusal });
      }
      case 'acl': {
        const value = this.#drawOther(bucketAcls, shared.acl.newest);
        const headers = { 'x-amz-acl': value };
        const call = { method: 'PUT', path, query: { acl: '' }, headers };
        const refusal = ({ block, ownership }: Settings): string | undefined => {
          if (ownership === 'BucketOwnerEnforced') return 'AccessControlListNotSupported';
          return block.includes('A') && isPublicList(value) ? 'AccessDenied' : undefined;
        };
        return this.#apply(gateway, shared, shared.acl, 'acl', { value, call, refusal });
      }
      case 'ownership': {
        const value = this.#drawOther(ownerships, shared.ownership.newest);
        const call = put('ownershipControls', ownershipDocument(value));
        const refusal = ({ acl }: Settings): string | undefined =>
          value === 'BucketOwnerEnforced' && acl !== 'private'
            ? 'InvalidBucketAclWithObjectOwnership'
            : undefined;
        return this.#apply(gateway, shared, shared.ownership, 'ownership', {
          value,
          call,
          refusal,
        });
      }
      case 'cors': {
        const value = this.#drawOther([...corsRules.keys()], shared.cors.newest);
        return this.#apply(gateway, shared, shared.cors, 'cors', {
          value,
          call: put('cors', corsDocument(value)),
        });
      }
    }
  }

  #drawOther<T>(all: readonly T[], newest: T): T {
    return oneOf(
      this.#random,
      all.filter((each) => each !== newest),
    );
  }

  /** Each flag half of the time, or no block at all. */
  #drawBlock(): string {
    if (this.#random.below(4) === 0) return 'none';
    const drawn = blockFlags.filter(() => this.#random.below(2) === 0);
    return `block:${drawn.map(([letter]) => letter).join('')}`;
  }

  async #apply<T>(
    gateway: SimulatedGateway,
    shared: SharedBucket,
    told: ToldValue<T>,
    setting: Setting,
    { value, call, refusal = () => undefined }: Change<T>,
  ): Promise<void> {
    if (told.isChanging || !told.isCertain) return;
    const asked = { gateway, calledAt: this.#now() };
    told.isChanging = true;
    const change = told.begin(value, asked.calledAt);
    const answer = await this.asker.ask(gateway, call);
    told.isChanging = false;
    if (answer === undefined || answer.status >= 500) return;
    const possible = this.#possible(asked, shared, 'looked-up');
    const what = `${setting} ${String(value)} was answered ${wordsOf(answer)}`;
    if (answer.status < 300) {
      change.acknowledged = { at: this.#now(), gateway: gateway.name, revision: 0 };
      if (!possible.some((each) => refusal(each) === undefined))
        this.#problem(asked, what, possible);
      this.#checkTogether(shared);
      this.#askLater(gateway, setting);
      return this.#lookAt(gateway, shared, setting);
    }
    told.forget(change);
    const code = elementOf(answer, 'Code');
    // What it depends on was changed meanwhile.
    const isOvertaken = code === 'OperationAborted' && mayBeOvertaken(possible, setting);
    if (!isOvertaken && !possible.some((each) => refusal(each) === code))
      this.#problem(asked, what, possible);
  }

  /** Neither was put while the other was so. */
  #checkTogether({ bucket, acl, ownership }: SharedBucket): void {
    if (![acl, ownership].every((told) => told.isCertain && !told.isChanging)) return;
    if (ownership.newest === 'BucketOwnerEnforced' && acl.newest !== 'private')
      this.problems.push(`${bucket.name} has no access lists any more, and is ${acl.newest}`);
  }

  #askLater(gateway: SimulatedGateway, setting: Setting): void {
    const due = { at: this.#now() + heardMsMax, setting };
    for (const { name } of this.gateways()) if (name !== gateway.name) this.#due.set(name, due);
  }

  /** As documents are answered, by whoever looks the bucket up. */
  async #readSetting(
    gateway: SimulatedGateway,
    shared: SharedBucket,
    setting: Setting,
    mode = 'may fail',
  ): Promise<void> {
    // The list is shown as that of its owner where lists are off, so that both would have to be known at once.
    if (setting === 'acl') return;
    const asked = { gateway, calledAt: this.#now() };
    const path = `/${shared.bucket.name}`;
    const call = { method: 'GET', path, query: { [subresources[setting]]: '' } };
    const answer = await this.asker.ask(gateway, call);
    if (!this.#isAnswered(answer, `${setting} of ${shared.bucket.name}`, mode)) return;
    const found = settingOf(setting, shared.bucket.name, answer);
    const isHeard = this.#isHeard(asked, 'looked-up');
    const possible = shared[setting].possible(isHeard, this.#now());
    if (!possible.some((each) => each === found))
      this.#problem(asked, `${setting} is ${wordsOf(answer)}`, possible);
  }

  #isAnswered(
    answer: WholeResponse | undefined,
    what: string,
    mode: string,
  ): answer is WholeResponse {
    if (answer !== undefined && answer.status < 500) return true;
    if (mode === 'must answer') this.problems.push(`${what} at the end: ${wordsOf(answer)}`);
    return false;
  }

  // ——— requests ———

  /** Undefined: the gateway does not know who asks. */
  async #askAs(
    who: Who,
    gateway: SimulatedGateway,
    call: S3Call,
  ): Promise<WholeResponse | undefined> {
    if (who === 'admin') return this.asker.ask(gateway, call);
    if (who === '') return this.asker.send(gateway, unsigned(call), `${call.method} ${call.path}`);
    if (this.#eve === undefined) return undefined;
    return this.asker.ask(gateway, { ...call, signer: this.#eve.signer });
  }

  #isKnown(who: Who, gateway: SimulatedGateway): boolean {
    if (who !== 'eve') return true;
    const { revision } = gateway.client.directory();
    return this.#eve !== undefined && revision >= this.#eve.revision;
  }

  /** Something whose answer depends on it. */
  #lookAt(gateway: SimulatedGateway, shared: SharedBucket, setting: Setting): Promise<void> {
    const who = oneOf(this.#random, readers);
    const toss = this.#random.below(3);
    if (setting === 'cors')
      return this.#preflight(gateway, shared, {
        origin: oneOf(this.#random, origins),
        method: oneOf(this.#random, methods),
      });
    if ((setting === 'acl' && toss > 0) || (setting === 'block' && toss === 0))
      return this.#list(gateway, shared, who);
    if (setting === 'ownership' && toss === 0) return this.#put(gateway, shared);
    if (setting === 'ownership' && toss === 1) return this.#putList(gateway, shared);
    return this.#readSomehow(gateway, shared, oneOf(this.#random, objectKeys));
  }

  /** Bytes or, more rarely, its list, by anybody. */
  #readSomehow(gateway: SimulatedGateway, shared: SharedBucket, key: string): Promise<void> {
    const who = oneOf(this.#random, readers);
    return this.#random.below(3) === 0
      ? this.#readList(gateway, shared, { who, key })
      : this.#read(gateway, shared, { who, key });
  }

  #drawObjectAcl(): ObjectAcl {
    return this.#random.below(3) === 0 ? 'public-read' : oneOf(this.#random, objectAcls);
  }

  /** An object, and what somebody is shown of it. */
  async #put(
    gateway: SimulatedGateway,
    shared: SharedBucket,
    key = oneOf(this.#random, objectKeys),
  ): Promise<void> {
    const who = oneOf(this.#random, writers);
    if (!this.#isKnown(who, gateway)) return;
    const path = shared.bucket.pathOf(key);
    const acl = this.#random.below(4) === 0 ? undefined : this.#drawObjectAcl();
    const { body, etag } = this.#values.makeUnique();
    const headers = acl === undefined ? {} : { 'x-amz-acl': acl };
    const asked = { gateway, calledAt: this.#now() };
    const change: PutCall = { kind: 'put', results: [] };
    const operation = this.histories.begin(path, change);
    const answer = await this.#askAs(who, gateway, { method: 'PUT', path, headers, body });
    const possible = this.#possible(asked, shared);
    const outcomes = possible.map((each) => putOutcome(each, { etag, who, acl }));
    const made = outcomes.filter((each) => each !== 'denied' && each !== 'unsupported');
    const results = [...new Set(made)];
    if (answer === undefined || answer.status >= 500) {
      change.results = results;
      return;
    }
    this.histories.end(operation);
    const isDone = answer.status === 200;
    if (isDone) change.results = results;
    const refusal = refusalOf(answer);
    if (isDone ? results.length === 0 : !outcomes.some((each) => each === refusal))
      this.#problem(
        asked,
        `PUT ${path} of '${who}' with list ${acl} was answered ${wordsOf(answer)}`,
        possible,
      );
    await this.#readSomehow(gateway, shared, key);
  }

  async #remove(gateway: SimulatedGateway, shared: SharedBucket): Promise<void> {
    const path = shared.bucket.pathOf(oneOf(this.#random, objectKeys));
    const operation = this.histories.begin(path, { kind: 'put', results: [absent] });
    const answer = await this.asker.ask(gateway, { method: 'DELETE', path });
    if (answer === undefined || answer.status >= 500) return;
    this.histories.end(operation);
    if (answer.status !== 204) this.problems.push(`DELETE ${path}: ${wordsOf(answer)}`);
  }

  async #putList(
    gateway: SimulatedGateway,
    shared: SharedBucket,
    key = oneOf(this.#random, objectKeys),
  ): Promise<void> {
    const who = oneOf(this.#random, writers);
    if (!this.#isKnown(who, gateway)) return;
    const path = shared.bucket.pathOf(key);
    const acl = this.#drawObjectAcl();
    const asked = { gateway, calledAt: this.#now() };
    const change: PutListCall = { kind: 'put-list', who, acl, views: [], answer: undefined };
    const operation = this.histories.begin(path, change);
    const call = { method: 'PUT', path, query: { acl: '' }, headers: { 'x-amz-acl': acl } };
    const answer = await this.#askAs(who, gateway, call);
    change.views = viewsOf(this.#possible(asked, shared), who, 's3:PutObjectAcl');
    if (answer === undefined || answer.status >= 500) return;
    this.histories.end(operation);
    if (answer.status === 200) return this.#readSomehow(gateway, shared, key);
    const kind = refusalOf(answer);
    if (kind === undefined)
      this.problems.push(`list ${acl} for ${path} by '${who}': ${wordsOf(answer)}`);
    else change.answer = { kind };
  }

  /** A list is for the object that its owner was judged by, not for what takes its place meanwhile. */
  async #putListBesideAPut(gateway: SimulatedGateway, shared: SharedBucket): Promise<void> {
    const key = oneOf(this.#random, objectKeys);
    await Promise.all([this.#putList(gateway, shared, key), this.#put(gateway, shared, key)]);
    await this.#readList(gateway, shared, { who: 'admin', key });
  }

  async #read(
    gateway: SimulatedGateway,
    shared: SharedBucket,
    { who, key, mode = 'may fail' }: { who: Who; key: string; mode?: string },
  ): Promise<void> {
    if (!this.#isKnown(who, gateway)) return;
    const path = shared.bucket.pathOf(key);
    const origin = this.#random.below(2) === 0 ? undefined : oneOf(this.#random, origins);
    const headers = origin === undefined ? {} : { origin };
    const asked = { gateway, calledAt: this.#now() };
    const answer = await this.#askAs(who, gateway, { method: 'GET', path, headers });
    if (!this.#isAnswered(answer, `GET ${path} of '${who}'`, mode)) return;
    if (origin !== undefined)
      this.#checkCors(asked, shared, answer, { origin, method: 'GET', isPreflight: false });
    const etag = etagOf(answer);
    const fault = answer.status === 200 ? this.#values.faultOf(etag, answer.body, 0) : undefined;
    if (fault !== undefined) this.problems.push(`${path}: ${fault}`);
    const said: Answered | undefined =
      answer.status === 200 ? { kind: 'read', etag } : saidOf(answer);
    this.#noteRead(asked, shared, path, { who, action: 's3:GetObject', said, answer });
  }

  /** Of an object. */
  async #readList(
    gateway: SimulatedGateway,
    shared: SharedBucket,
    { who, key, mode = 'may fail' }: { who: Who; key: string; mode?: string },
  ): Promise<void> {
    if (!this.#isKnown(who, gateway)) return;
    const path = shared.bucket.pathOf(key);
    const asked = { gateway, calledAt: this.#now() };
    const answer = await this.#askAs(who, gateway, { method: 'GET', path, query: { acl: '' } });
    if (!this.#isAnswered(answer, `list of ${path} for '${who}'`, mode)) return;
    const said: Answered | undefined = answer.status === 200 ? listIn(answer) : saidOf(answer);
    this.#noteRead(asked, shared, path, { who, action: 's3:GetObjectAcl', said, answer });
  }

  #noteRead(
    asked: Asked,
    shared: SharedBucket,
    path: string,
    read: Pick<ReadCall, 'who' | 'action'> & {
      readonly said: Answered | undefined;
      readonly answer: WholeResponse;
    },
  ): void {
    const { who, action, said, answer } = read;
    const possible = this.#possible(asked, shared);
    if (said === undefined) {
      this.#problem(asked, `${action} of ${path} by '${who}' is ${wordsOf(answer)}`, possible);
      return;
    }
    const views = viewsOf(possible, who, action);
    const call: ReadCall = { kind: 'read', who, action, views, answer: said };
    this.histories.noteRead(path, call, asked.calledAt);
  }

  async #list(
    gateway: SimulatedGateway,
    shared: SharedBucket,
    who: Who,
    mode = 'may fail',
  ): Promise<void> {
    if (!this.#isKnown(who, gateway)) return;
    const path = `/${shared.bucket.name}`;
    const asked = { gateway, calledAt: this.#now() };
    const call = { method: 'GET', path, query: { 'list-type': '2' } };
    const answer = await this.#askAs(who, gateway, call);
    if (!this.#isAnswered(answer, `LIST ${path} of '${who}'`, mode)) return;
    const possible = this.#possible(asked, shared);
    const isShown = answer.status === 200;
    const isKnown = isShown || refusalOf(answer) === 'denied';
    if (!isKnown || !possible.some((each) => mayList(each, who) === isShown))
      this.#problem(asked, `LIST ${path} of '${who}' is ${wordsOf(answer)}`, possible);
  }

  async #preflight(
    gateway: SimulatedGateway,
    shared: SharedBucket,
    question: { readonly origin: string; readonly method: string; readonly mode?: string },
  ): Promise<void> {
    const { origin, method, mode = 'may fail' } = question;
    const path = shared.bucket.pathOf(oneOf(this.#random, objectKeys));
    const headers = { origin, 'access-control-request-method': method };
    const asked = { gateway, calledAt: this.#now() };
    const call = { method: 'OPTIONS', path, headers };
    const answer = await this.#askAs('', gateway, call);
    if (!this.#isAnswered(answer, `OPTIONS ${path}`, mode)) return;
    const isRefused = answer.status === 403 && elementOf(answer, 'Code') === 'AccessForbidden';
    if (answer.status !== 200 && !isRefused)
      this.problems.push(`OPTIONS ${path}: ${wordsOf(answer)}`);
    this.#checkCors(asked, shared, answer, { origin, method, isPreflight: true });
  }

  #checkCors(
    asked: Asked,
    { bucket, cors }: SharedBucket,
    answer: WholeResponse,
    question: Parameters<typeof corsAnswer>[1],
  ): void {
    const allowed = headerOf(answer, 'access-control-allow-origin');
    const told = `${allowed} ${headerOf(answer, 'access-control-allow-methods')} ${headerOf(answer, 'access-control-expose-headers')}`;
    const found = allowed === '' ? 'none' : told;
    const tookMs = this.#now() - asked.calledAt;
    if (!question.isPreflight && found === 'none' && tookMs >= lookMsMin) return;
    const possible = cors.possible(this.#isHeard(asked), this.#now());
    if (possible.some((rules) => corsAnswer(rules, question) === found)) return;
    const what = `${question.method} of a page of ${question.origin} at ${bucket.name} is told ${found}`;
    this.#problem(asked, what, possible);
  }
}

const subresources: Readonly<Record<Exclude<Setting, 'acl'>, string>> = {
  block: 'publicAccessBlock',
  policy: 'policy',
  ownership: 'ownershipControls',
  cors: 'cors',
};

/** Whether what a change of it depends on may have been changed under way. */
function mayBeOvertaken(possible: readonly Settings[], setting: Setting): boolean {
  const count = (of: (each: Settings) => string): number => new Set(possible.map(of)).size;
  switch (setting) {
    case 'policy':
      return count(({ block }) => block) > 1;
    case 'acl':
      return count(({ block, ownership }) => `${block} ${ownership}`) > 1;
    case 'ownership':
      return count(({ acl }) => acl) > 1;
    default:
      return false;
  }
}

function refusalOf(answer: WholeResponse): 'denied' | 'unsupported' | 'absent' | undefined {
  switch (elementOf(answer, 'Code')) {
    case 'AccessDenied':
      return 'denied';
    case 'AccessControlListNotSupported':
      return 'unsupported';
    case 'NoSuchKey':
      return 'absent';
    default:
      return undefined;
  }
}

function saidOf(answer: WholeResponse): Answered | undefined {
  const kind = refusalOf(answer);
  return kind === undefined ? undefined : { kind };
}

/** Owner and list, by the canned list that it is. */
function listIn(answer: WholeResponse): Answered {
  const text = decodeUtf8(answer.body);
  const owner = elementOf(answer, 'ID') ?? '';
  const grants = [...text.matchAll(/<Grant>([\s\S]*?)<\/Grant>/g)].map(([, grant = '']) => {
    const who = /<(?:ID|URI)>(?:[^<]*\/)?([^<]*)</.exec(grant)?.[1];
    return `${who} ${/<Permission>([^<]*)</.exec(grant)?.[1]}`;
  });
  const others = grants.filter((each) => each !== `${owner} FULL_CONTROL`).join();
  const acl = grants.length === 0 ? undefined : cannedNames[others];
  return { kind: 'list-read', owner, acl: acl ?? grants.join() };
}

/** By what they grant others than the owner. */
const cannedNames: Readonly<Record<string, ObjectAcl>> = {
  '': 'private',
  'AllUsers READ': 'public-read',
  'AuthenticatedUsers READ': 'authenticated-read',
  'admin FULL_CONTROL': 'bucket-owner-full-control',
};

/** What a document says; undefined: nothing that was ever put. */
function settingOf(
  setting: Exclude<Setting, 'acl'>,
  bucket: string,
  answer: WholeResponse,
): string | number | undefined {
  const isNone = answer.status === 404 && elementOf(answer, 'Code') === noneCodes[setting];
  switch (setting) {
    case 'block': {
      if (isNone) return 'none';
      const set = blockFlags.filter(([, name]) => elementOf(answer, name) === 'true');
      return `block:${set.map(([letter]) => letter).join('')}`;
    }
    case 'policy':
      if (isNone) return 'none';
      return policies.find((each) => policyDocument(bucket, each) === decodeUtf8(answer.body));
    case 'ownership':
      return isNone ? 'none' : elementOf(answer, 'ObjectOwnership');
    case 'cors':
      if (isNone) return 0;
      return [...corsRules.keys()].find(
        (each) => elementOf(answer, 'ExposeHeader') === exposedBy(each),
      );
  }
}

const noneCodes: Readonly<Record<Exclude<Setting, 'acl'>, string>> = {
  block: 'NoSuchPublicAccessBlockConfiguration',
  policy: 'NoSuchBucketPolicy',
  ownership: 'OwnershipControlsNotFoundError',
  cors: 'NoSuchCORSConfiguration',
};

function wrap(name: string, ...inner: readonly string[]): string {
  return `<${name}>${inner.join('')}</${name}>`;
}

/** Undefined: it is deleted. */
function blockDocument(block: string): string | undefined {
  if (block === 'none') return undefined;
  const flags = blockFlags.map(([letter, name]) => wrap(name, String(block.includes(letter))));
  return wrap('PublicAccessBlockConfiguration', ...flags);
}

function ownershipDocument(ownership: OwnershipName): string | undefined {
  if (ownership === 'none') return undefined;
  return wrap('OwnershipControls', wrap('Rule', wrap('ObjectOwnership', ownership)));
}

function policyDocument(bucket: string, policy: PolicyName): string | undefined {
  if (policy === 'none') return undefined;
  const { everybody, user } = policyActions[policy];
  const Resource = `arn:aws:s3:::${bucket}/*`;
  const allow = { Effect: 'Allow', Resource };
  const statements = [
    { ...allow, Principal: '*', Action: everybody },
    { ...allow, Principal: { AWS: ['arn:aws:iam:::user/eve'] }, Action: user },
  ];
  return policyText(statements.filter(({ Action }) => Action.length > 0));
}

function corsDocument(rules: number): string | undefined {
  const all = corsRules[rules] ?? [];
  if (all.length === 0) return undefined;
  return wrap(
    'CORSConfiguration',
    ...all.map(({ origin, methods }) =>
      wrap(
        'CORSRule',
        wrap('AllowedOrigin', origin),
        ...methods.map((method) => wrap('AllowedMethod', method)),
        wrap('ExposeHeader', exposedBy(rules)),
      ),
    ),
  );
}

/** As nobody in particular sends it. */
function unsigned({ method, path, query = {}, headers = {}, body }: S3Call): HttpRequest {
  const names = Object.keys(query);
  return {
    method,
    target:
      names.length === 0
        ? path
        : `${path}?${names.map((name) => `${name}=${query[name]}`).join('&')}`,
    headers: [
      ['host', 'localhost'],
      ...(body === undefined ? [] : ([['content-length', String(body.length)]] as const)),
      ...Object.entries(headers),
    ],
    body: sourceOf(body),
    remote: 'client:1',
  };
}
