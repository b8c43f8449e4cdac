// Versions that are kept for a time, through several gateways: by what a put says, by a change, or by the bucket's default.
// While its time lasts no version may go, whoever asks whichever gateway, and no lifecycle rule may remove it; compliance
// is never shortened, governance only by who may pass over it; when the time is over all of it is allowed.
//
// Whether it is over is for the wall clock of a disk's daemon to say, which may be wrong just then: each answer is held
// against what any of them showed while it was asked for (`OsdWalls`). A state keeps from when on it can have come about,
// so that what was done without an answer is not excused by a time that had not come when it was seen.
//
// Beside it, versions that rules move to another storage class: once there they stay, with what keeps them.

import { decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import { formatIsoDate, parseIsoDate } from '../s3/protocol/dates.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { KeyHistories, type OpenOperation } from './key-histories.ts';
import type { Model } from './linearizability.ts';
import { elementOf, oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import { firstUser, md5Base64, type S3Call, type Signer } from './s3-request.ts';
import { etagOf, headerOf, S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import { heardOfBucket, ToldValue } from './told-value.ts';
import { policyText, wordsOf } from './users-workload.ts';

type Mode = 'GOVERNANCE' | 'COMPLIANCE';

export interface Retention {
  readonly mode: Mode | 'none';
  /** By the wall clock; 0 where nothing keeps the version. */
  readonly untilMs: number;
}

/** What the wall clocks of disks' daemons showed. */
export interface Seen {
  /** While it was asked for, at the least and at the most. */
  readonly leastMs: number;
  readonly mostMs: number;
  /** At the most since there is the version. */
  readonly mostEverMs: number;
}

/** Undefined in `seen` and `outcome`: no answer came. */
export type RetentionCall =
  | { readonly kind: 'made'; readonly retention: Retention; readonly seen: Seen }
  | {
      readonly kind: 'remove';
      readonly passesOver: boolean;
      outcome: 'done' | 'locked' | undefined;
      seen: Seen | undefined;
    }
  | {
      readonly kind: 'keep';
      readonly retention: Retention;
      readonly passesOver: boolean;
      /** `nothing`: it was refused for another reason. */
      outcome: 'done' | 'locked' | 'absent' | 'nothing' | undefined;
      seen: Seen | undefined;
    }
  /** By a rule: sometime, or never. */
  | { readonly kind: 'move' }
  | {
      readonly kind: 'read';
      readonly retention: Retention;
      /** Undefined: the answer does not say. */
      readonly storageClass: string | undefined;
      readonly seen: Seen;
    }
  | { readonly kind: 'read-absent'; readonly seen: Seen };

const gone = 'gone';
const warm = 'STANDARD';
const cold = 'COLD';
const nothingKeeps: Retention = { mode: 'none', untilMs: 0 };

interface State extends Retention {
  readonly storageClass: string;
  /** No clock can have shown less when it came about. */
  readonly sinceMs: number;
}

function formatState({ mode, untilMs, storageClass, sinceMs }: State): string {
  return `${mode} ${untilMs} ${storageClass} ${sinceMs}`;
}

function parseState(text: string): State | undefined {
  const [mode = '', until = '', storageClass = '', since = ''] = text.split(' ');
  if (mode === gone) return undefined;
  return {
    mode: mode as State['mode'],
    untilMs: Number(until),
    storageClass,
    sinceMs: Number(since),
  };
}

function goneSince(sinceMs: number): string {
  return `${gone} 0 - ${sinceMs}`;
}

/**
 * From when on a change that the retention forbids may have been made all the same; undefined: not by then. `isFree`:
 * nothing forbids it.
 */
function sinceOf(state: State, isFree: boolean, seen: Seen | undefined): number | undefined {
  if (isFree) return state.sinceMs;
  if (seen !== undefined && state.untilMs > seen.mostMs) return undefined;
  return Math.max(state.sinceMs, state.untilMs);
}

/** A version's state: `MODE UNTIL CLASS SINCE`, or `gone 0 - SINCE`; empty: it is not made yet. */
export const retentionModel: Model<string, RetentionCall> = (text, call) => {
  if (call.kind === 'made')
    return formatState({ ...call.retention, storageClass: warm, sinceMs: 0 });
  if (text === '') return undefined;
  const state = parseState(text);
  if (call.kind === 'move')
    return state?.storageClass === warm ? formatState({ ...state, storageClass: cold }) : undefined;
  const sinceMs = state?.sinceMs ?? Number(text.split(' ')[3]);
  if (call.seen !== undefined && sinceMs > call.seen.mostEverMs) return undefined;
  switch (call.kind) {
    case 'remove': {
      if (state === undefined) return call.outcome === 'locked' ? undefined : text;
      const isFree = state.mode === 'none' || (state.mode === 'GOVERNANCE' && call.passesOver);
      if (call.outcome === 'locked') return mayRefuse(state, isFree, call.seen) ? text : undefined;
      const since = sinceOf(state, isFree, call.seen);
      return since === undefined ? undefined : goneSince(since);
    }
    case 'keep': {
      if (call.outcome === 'nothing') return text;
      if (state === undefined) return call.outcome === 'absent' ? text : undefined;
      if (call.outcome === 'absent') return undefined;
      const { retention } = call;
      const isLonger = retention.mode === state.mode && retention.untilMs >= state.untilMs;
      const isWaived = state.mode === 'GOVERNANCE' && call.passesOver;
      const isFree = state.mode === 'none' || isLonger || isWaived;
      if (call.outcome === 'locked') return mayRefuse(state, isFree, call.seen) ? text : undefined;
      const since = sinceOf(state, isFree, call.seen);
      if (since === undefined) return undefined;
      return formatState({ ...retention, storageClass: state.storageClass, sinceMs: since });
    }
    case 'read': {
      if (state === undefined) return undefined;
      const { retention, storageClass } = call;
      const isSame = retention.mode === state.mode && retention.untilMs === state.untilMs;
      const isThere = storageClass === undefined || storageClass === state.storageClass;
      return isSame && isThere ? text : undefined;
    }
    case 'read-absent':
      return state === undefined ? text : undefined;
  }
};

function mayRefuse(state: State, isFree: boolean, seen: Seen | undefined): boolean {
  return !isFree && seen !== undefined && state.untilMs > seen.leastMs;
}

/** What the wall clocks of disks' daemons showed between two instants of the run. */
export type OsdWalls = (
  from: number,
  until: number,
) => { readonly leastMs: number; readonly mostMs: number };

interface Default {
  readonly mode: Mode | 'none';
  readonly days: number;
}

interface Sealed {
  readonly bucket: S3Bucket;
  /** What it keeps versions for that say nothing themselves. */
  readonly told: ToldValue<Default>;
}

interface KnownVersion {
  readonly sealed: Sealed;
  readonly key: string;
  readonly id: string;
  readonly etag: string;
  /** Before it was made, in virtual milliseconds. */
  readonly calledAt: number;
}

interface Actor {
  readonly signer: Signer;
  /** May pass over governance, when it asks to. */
  readonly mayPassOver: boolean;
}

const first: Actor = { signer: firstUser, mayPassOver: true };

const bucketNames = ['sealed-0', 'sealed-1'];
const keys = ['kept', 'kept/1', 'fading/1', 'cooling/1', 'cooling/2'];
const defaults: readonly Default[] = [
  { mode: 'GOVERNANCE', days: 1 },
  { mode: 'COMPLIANCE', days: 1 },
  { mode: 'GOVERNANCE', days: 2 },
];
const noDefault: Default = { mode: 'none', days: 0 };

/** The least that S3 has for a default: no run is as long. */
const dayMs = 86_400_000;
/** So that all defaults are over. */
const endDaysMs = 3 * dayMs;

/** What puts and changes ask for themselves: over within the run, mostly. */
const keptSecondsMax = 15;

/** How wrong a gateway's wall clock may be, either way. */
const gatewayWrongMsMax = 10_000;

/** In which rules must have removed what they may: the last gateway has had as long. */
const rulesMsMax = 25_000;

/** The rules' own days are seconds (`lifecycleOptions`). */
const rules = `<LifecycleConfiguration><Rule><ID>fade</ID><Status>Enabled</Status><Filter><Prefix>fading/</Prefix></Filter>
<Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>
</Rule><Rule><ID>cool</ID><Status>Enabled</Status><Filter><And><Prefix>cooling/</Prefix><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></And></Filter>
<Transition><Days>1</Days><StorageClass>${cold}</StorageClass></Transition>
<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>${cold}</StorageClass></NoncurrentVersionTransition></Rule></LifecycleConfiguration>`;

/** Of whom the one may all but pass over governance. */
const keeperActions = [
  's3:GetObjectVersion',
  // Without it, what is not there is refused.
  's3:ListBucket',
  's3:DeleteObject',
  's3:DeleteObjectVersion',
  's3:GetObjectRetention',
  's3:PutObjectRetention',
];
const wardenActions = [...keeperActions, 's3:BypassGovernanceRetention'];

/** For a gateway to take. */
export const storageClasses = [warm, cold];

export class RetentionWorkload implements S3Load {
  readonly problems: string[] = [];
  readonly asker = new S3Asker(this.problems);
  readonly histories: KeyHistories<RetentionCall>;
  operations = 0;
  /** Parts of one upload go through any of them. */
  gateways: () => readonly SimulatedGateway[] = () => [];
  osdWalls: OsdWalls = () => ({ leastMs: 0, mostMs: 0 });
  /** Days go by for everybody, in which nobody asks for anything. */
  passTime: (ms: number) => void = () => undefined;
  readonly #random: Random;
  readonly #now: () => number;
  /** What a clock that is right shows. */
  readonly #wallMs: () => number;
  readonly #values: S3Values;
  readonly #buckets: readonly Sealed[];
  readonly #known: KnownVersion[] = [];
  readonly #users: Actor[] = [];
  /** Of the first directory that has all users. */
  #revision = 0;

  constructor(random: Random, now: () => number, wallMs: () => number) {
    this.#random = random;
    this.#now = now;
    this.#wallMs = wallMs;
    this.#values = new S3Values(random);
    this.histories = new KeyHistories(now, retentionModel);
    this.#buckets = bucketNames.map((name) => ({
      bucket: new S3Bucket(name, this.asker, this.problems),
      told: new ToldValue(noDefault),
    }));
  }

  async prepare(gateway: SimulatedGateway): Promise<void> {
    for (const { bucket } of this.#buckets) {
      await bucket.make(gateway, { 'x-amz-bucket-object-lock-enabled': 'true' });
      const body = encodeUtf8(rules);
      const headers = { 'content-md5': md5Base64(body) };
      const path = `/${bucket.name}`;
      await bucket.insist(gateway, {
        method: 'PUT',
        path,
        query: { lifecycle: '' },
        headers,
        body,
      });
    }
    await this.#makeUser(gateway, 'keeper', keeperActions, false);
    await this.#makeUser(gateway, 'warden', wardenActions, true);
    this.#revision = gateway.client.directory().revision;
  }

  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    const sealed = oneOf(this.#random, this.#buckets);
    const version = this.#known.at(-1 - this.#random.below(Math.min(8, this.#known.length || 1)));
    switch (this.#random.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#put(gateway, sealed);
      case 4:
        return this.#multipart(gateway, sealed);
      case 5:
        return this.#changeDefault(gateway, sealed);
      case 6:
        await this.asker.ask(gateway, {
          method: 'DELETE',
          path: sealed.bucket.pathOf(oneOf(this.#random, keys)),
        });
        return;
      default:
        if (version !== undefined) await this.#use(gateway, version);
    }
  }

  async #use(gateway: SimulatedGateway, version: KnownVersion): Promise<void> {
    switch (this.#random.below(10)) {
      case 0:
      case 1:
      case 2:
        return this.#remove(gateway, version, this.#anyActor(gateway));
      case 3:
      case 4:
      case 5:
        return this.#keep(gateway, version);
      case 6:
        return this.#copy(gateway, version);
      case 7:
        return this.#readRetention(gateway, version);
      default:
        await this.#read(gateway, version);
    }
  }

  async readAll(gateway: SimulatedGateway): Promise<void> {
    for (const version of this.#known) await this.#read(gateway, version, 'must answer');
  }

  /** What may not go yet is tried in vain, then its time passes: all of it may go. */
  async removeAll(gateway: SimulatedGateway): Promise<void> {
    for (const version of this.#known) {
      await this.#checkRules(gateway, version);
      await this.#remove(gateway, version, first);
    }
    this.passTime(endDaysMs);
    for (const version of this.#known) await this.#remove(gateway, version, first);
    for (const { bucket } of this.#buckets) {
      for (const [key, versionId] of await this.#list(gateway, bucket)) {
        const call = { method: 'DELETE', path: bucket.pathOf(key), query: { versionId } };
        await bucket.insist(gateway, call);
      }
      for (const [key, id] of await this.#list(gateway, bucket))
        this.problems.push(`${bucket.name}/${key} ${id} could not be deleted at the end`);
      await bucket.remove(gateway);
    }
  }

  checkHistories(): string[] {
    return this.histories.check('version kept for a time');
  }

  async #makeUser(
    gateway: SimulatedGateway,
    name: string,
    actions: readonly string[],
    mayPassOver: boolean,
  ): Promise<void> {
    const form = { service: 'iam', parameters: { UserName: name } } as const;
    await this.asker.askForm(gateway, { ...form, action: 'CreateUser' });
    const made = await this.asker.askForm(gateway, { ...form, action: 'CreateAccessKey' });
    const accessKey = made === undefined ? undefined : elementOf(made, 'AccessKeyId');
    const secretKey = made === undefined ? undefined : elementOf(made, 'SecretAccessKey');
    const PolicyDocument = policyText([{ Effect: 'Allow', Action: actions, Resource: '*' }]);
    const put = await this.asker.askForm(gateway, {
      service: 'iam',
      action: 'PutUserPolicy',
      parameters: { UserName: name, PolicyName: 'own', PolicyDocument },
    });
    if (accessKey === undefined || secretKey === undefined || put?.status !== 200)
      this.problems.push(`user ${name} was not made: ${wordsOf(made)}, ${wordsOf(put)}`);
    else this.#users.push({ signer: { accessKey, secretKey }, mayPassOver });
  }

  /** A gateway that has just started may know none but the first. */
  #anyActor(gateway: SimulatedGateway): Actor {
    const isKnown = gateway.client.directory().revision >= this.#revision;
    return oneOf(this.#random, isKnown ? [first, ...this.#users] : [first]);
  }

  #anyGateway(mine: SimulatedGateway): SimulatedGateway {
    const all = this.gateways();
    return all[this.#random.below(Math.max(1, all.length))] ?? mine;
  }

  /** What clocks showed from the call until now. */
  #seen(version: Pick<KnownVersion, 'calledAt'>, calledAt: number): Seen {
    const now = this.#now();
    const { mostMs: mostEverMs } = this.osdWalls(version.calledAt, now);
    return { ...this.osdWalls(calledAt, now), mostEverMs };
  }

  #drawRetention(): Retention {
    return {
      mode: this.#random.below(2) === 0 ? 'GOVERNANCE' : 'COMPLIANCE',
      untilMs: Math.floor(this.#wallMs()) + 1 + this.#random.below(keptSecondsMax * 1000),
    };
  }

  /** Two of three say themselves what they are kept for. */
  #drawOwn(): Retention | undefined {
    return this.#random.below(3) === 0 ? undefined : this.#drawRetention();
  }

  async #put(gateway: SimulatedGateway, sealed: Sealed): Promise<void> {
    const key = oneOf(this.#random, keys);
    const { body, etag } = this.#values.makeUnique();
    const own = this.#drawOwn();
    const asked = { gateway, calledAt: this.#now() };
    const path = sealed.bucket.pathOf(key);
    const answer = await this.asker.ask(gateway, {
      method: 'PUT',
      path,
      headers: headersOf(own),
      body,
    });
    if (this.#isDone(`put of ${path}`, answer, own) && answer !== undefined)
      await this.#learn(asked, sealed, { key, etag, own, id: idOf(answer) });
  }

  /** What is asked for until a moment that its gateway takes for past is refused. */
  #isDone(what: string, answer: WholeResponse | undefined, own: Retention | undefined): boolean {
    if (answer === undefined || answer.status >= 500) return false;
    if (answer.status === 200) return true;
    const isPast = own !== undefined && own.untilMs <= this.#wallMs() + gatewayWrongMsMax;
    if (answer.status !== 400 || !isPast)
      this.problems.push(`${what} was answered ${wordsOf(answer)}`);
    return false;
  }

  async #copy(gateway: SimulatedGateway, version: KnownVersion): Promise<void> {
    const { sealed, etag, id } = version;
    const key = oneOf(this.#random, keys);
    const own = this.#drawOwn();
    const asked = { gateway, calledAt: this.#now() };
    const path = sealed.bucket.pathOf(key);
    const source = `${sealed.bucket.pathOf(version.key)}?versionId=${id}`;
    const answer = await this.asker.ask(gateway, {
      method: 'PUT',
      path,
      headers: { 'x-amz-copy-source': source, ...headersOf(own) },
    });
    if (answer?.status === 404) return;
    if (!this.#isDone(`copy to ${path}`, answer, own) || answer === undefined) return;
    // A copy that fails after its answer has begun says so in the body.
    const made = this.#knowAs(answer, etag);
    if (made !== undefined) await this.#learn(asked, sealed, { key, own, ...made });
  }

  /** A version whose bytes are those of another, under the name that the answer gives it. */
  #knowAs(
    answer: WholeResponse,
    source: string,
  ): { readonly etag: string; readonly id: string } | undefined {
    const etag = elementOf(answer, 'ETag')?.replaceAll(/&quot;|&#34;|"/g, '');
    if (etag === undefined) return undefined;
    const value = this.#values.get(source);
    if (value !== undefined) this.#values.know(etag, value);
    return { etag, id: idOf(answer) };
  }

  /** The default of when it is completed keeps it, where it was begun without a word of that. */
  async #multipart(gateway: SimulatedGateway, sealed: Sealed): Promise<void> {
    const key = oneOf(this.#random, keys);
    const path = sealed.bucket.pathOf(key);
    const own = this.#drawOwn();
    const call = { method: 'POST', path };
    const begun = await this.asker.ask(gateway, {
      ...call,
      query: { uploads: '' },
      headers: headersOf(own),
    });
    if (!this.#isDone(`upload of ${path}`, begun, own) || begun === undefined) return;
    const query = { uploadId: elementOf(begun, 'UploadId') ?? '' };
    const { body, etag } = this.#values.makeUnique();
    const put = { method: 'PUT', path, query: { ...query, partNumber: '1' }, body };
    const part = await this.asker.ask(this.#anyGateway(gateway), put);
    if (part?.status !== 200) return;
    const list = `<Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>`;
    const document = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`;
    const last = this.#anyGateway(gateway);
    const asked = { gateway: last, calledAt: this.#now() };
    const done = await this.asker.ask(last, { ...call, query, body: encodeUtf8(document) });
    const made = done?.status === 200 ? this.#knowAs(done, etag) : undefined;
    if (made !== undefined) await this.#learn(asked, sealed, { key, own, ...made });
  }

  /** What keeps a version that was just made: what it said itself, or a default that may have been in force. */
  async #learn(
    asked: { readonly gateway: SimulatedGateway; readonly calledAt: number },
    sealed: Sealed,
    made: {
      readonly key: string;
      readonly etag: string;
      readonly id: string;
      readonly own: Retention | undefined;
    },
  ): Promise<void> {
    const { gateway, calledAt } = asked;
    const { key, etag, id, own } = made;
    const path = sealed.bucket.pathOf(key);
    // An answer that began before it was done does not say.
    if (id === '') return;
    const until = this.#now();
    const madeMs = { first: this.#wallMs() - (until - calledAt), last: this.#wallMs() };
    const query = { versionId: id };
    const answer = await this.asker.ask(gateway, { method: 'HEAD', path, query });
    // A rule may have removed it already: nobody knows then what kept it.
    if (answer?.status !== 200) return;
    const retention = retentionOf(answer);
    const possible = sealed.told.possible(heardOfBucket(gateway.name, calledAt), until);
    const isRight =
      own === undefined
        ? possible.some((each) => isByDefault(retention, each, madeMs))
        : own.mode === retention.mode && own.untilMs === retention.untilMs;
    if (!isRight)
      this.problems.push(
        `${path} ${id}, asked of ${gateway.name} at ${calledAt.toFixed(1)} ms, is kept by ${wordOf(retention)}; it said ${
          own === undefined ? 'nothing' : wordOf(own)
        }, the default may be ${possible.map(({ mode, days }) => `${mode} ${days}`).join('/')}`,
      );
    const version = { sealed, key, id, etag, calledAt };
    const name = nameOf(version);
    const seen = this.#seen(version, calledAt);
    this.histories.noteRead(name, { kind: 'made', retention, seen }, calledAt, until);
    if (key.startsWith('cooling/')) this.histories.begin(name, { kind: 'move' });
    if (key.startsWith('fading/'))
      this.histories.begin(name, {
        kind: 'remove',
        passesOver: false,
        outcome: undefined,
        seen: undefined,
      });
    this.#known.push(version);
  }

  async #changeDefault(gateway: SimulatedGateway, { bucket, told }: Sealed): Promise<void> {
    // A put without answer may be done much later, after another.
    if (told.isChanging || !told.isCertain) return;
    const next =
      told.newest.mode !== 'none' && this.#random.below(2) === 0
        ? noDefault
        : oneOf(this.#random, defaults);
    const call = { method: 'PUT', path: `/${bucket.name}`, query: { 'object-lock': '' } };
    told.isChanging = true;
    const change = told.begin(next, this.#now());
    const answer = await this.asker.ask(gateway, { ...call, body: encodeUtf8(documentOf(next)) });
    told.isChanging = false;
    if (answer === undefined || answer.status >= 500) return;
    if (answer.status !== 200)
      this.problems.push(`a default retention was answered ${wordsOf(answer)}`);
    change.acknowledged = { at: this.#now(), gateway: gateway.name, revision: 0 };
  }

  #callOf(version: KnownVersion, method: string, { signer }: Pick<Actor, 'signer'>): S3Call {
    const path = version.sealed.bucket.pathOf(version.key);
    return { method, path, query: { versionId: version.id }, signer };
  }

  /** Alone, or as the only one of a list. */
  async #remove(gateway: SimulatedGateway, version: KnownVersion, actor: Actor): Promise<void> {
    const asks = actor.signer !== firstUser || this.#random.below(2) === 0;
    const headers: Record<string, string> = asks ? passOver : {};
    const isList = this.#random.below(4) === 0;
    const call: RetentionCall = {
      kind: 'remove',
      passesOver: asks && actor.mayPassOver,
      outcome: undefined,
      seen: undefined,
    };
    const calledAt = this.#now();
    const operation = this.histories.begin(nameOf(version), call);
    if (!isList) {
      const answer = await this.asker.ask(gateway, {
        ...this.#callOf(version, 'DELETE', actor),
        headers,
      });
      if (answer?.status === 204) call.outcome = 'done';
      else call.outcome = this.#lockedOf('a delete', answer);
    } else {
      const { name } = version.sealed.bucket;
      const item = `<Object><Key>${version.key}</Key><VersionId>${version.id}</VersionId></Object>`;
      const body = encodeUtf8(`<Delete>${item}</Delete>`);
      const answer = await this.asker.ask(gateway, {
        method: 'POST',
        path: `/${name}`,
        query: { delete: '' },
        headers: { ...headers, 'content-md5': md5Base64(body) },
        body,
        signer: actor.signer,
      });
      if (answer?.status !== 200) this.#lockedOf('a list of deletes', answer);
      else if (elementOf(answer, 'Code') === 'AccessDenied') call.outcome = 'locked';
      else if (decodeUtf8(answer.body).includes('<Deleted>')) call.outcome = 'done';
    }
    this.#end(operation, version, calledAt);
  }

  /** What an answer other than that it is done means. */
  #lockedOf(what: string, answer: WholeResponse | undefined): 'locked' | undefined {
    if (answer === undefined || answer.status >= 500) return undefined;
    if (answer.status === 403 && decodeUtf8(answer.body).includes('object lock')) return 'locked';
    this.problems.push(`${what} was answered ${wordsOf(answer)}`);
    return undefined;
  }

  #end(operation: OpenOperation<RetentionCall>, version: KnownVersion, calledAt: number): void {
    const { call } = operation;
    if ((call.kind !== 'remove' && call.kind !== 'keep') || call.outcome === undefined) return;
    call.seen = this.#seen(version, calledAt);
    this.histories.end(operation);
  }

  /** For longer, for shorter, in another way, or not at all any more. */
  async #keep(gateway: SimulatedGateway, version: KnownVersion): Promise<void> {
    const actor = this.#anyActor(gateway);
    const asks = this.#random.below(2) === 0;
    const retention = this.#random.below(5) === 0 ? nothingKeeps : this.#drawRetention();
    const call: RetentionCall = {
      kind: 'keep',
      retention,
      passesOver: asks && actor.mayPassOver,
      outcome: undefined,
      seen: undefined,
    };
    const calledAt = this.#now();
    const operation = this.histories.begin(nameOf(version), call);
    const request = this.#callOf(version, 'PUT', actor);
    const body = encodeUtf8(bodyOf(retention));
    const answer = await this.asker.ask(gateway, {
      ...request,
      query: { ...request.query, retention: '' },
      headers: { 'content-md5': md5Base64(body), ...(asks ? passOver : {}) },
      body,
    });
    if (answer?.status === 404) call.outcome = 'absent';
    else if (answer?.status === 403) call.outcome = this.#lockedOf('a retention', answer);
    else if (this.#isDone('a retention', answer, retention)) call.outcome = 'done';
    else if (answer?.status === 400) call.outcome = 'nothing';
    this.#end(operation, version, calledAt);
  }

  async #read(
    gateway: SimulatedGateway,
    version: KnownVersion,
    mode = 'may fail',
  ): Promise<WholeResponse | undefined> {
    const calledAt = this.#now();
    const method = this.#random.below(2) === 0 ? 'GET' : 'HEAD';
    const actor = this.#anyActor(gateway);
    const answer = await this.asker.ask(gateway, this.#callOf(version, method, actor));
    const name = nameOf(version);
    const seen = this.#seen(version, calledAt);
    if (answer?.status === 404) {
      this.histories.noteRead(name, { kind: 'read-absent', seen }, calledAt);
      return undefined;
    }
    if (answer?.status !== 200) {
      if (mode === 'must answer' || (answer !== undefined && answer.status < 500))
        this.problems.push(`${method} ${name}: ${wordsOf(answer)}`);
      return undefined;
    }
    const storageClass = headerOf(answer, 'x-amz-storage-class') || warm;
    const retention = retentionOf(answer);
    this.histories.noteRead(name, { kind: 'read', retention, storageClass, seen }, calledAt);
    if (etagOf(answer) !== version.etag) this.problems.push(`${name} is ${etagOf(answer)}`);
    const fault = method === 'GET' ? this.#values.faultOf(version.etag, answer.body, 0) : undefined;
    if (fault !== undefined) this.problems.push(`${name}: ${fault}`);
    return answer;
  }

  async #readRetention(gateway: SimulatedGateway, version: KnownVersion): Promise<void> {
    const calledAt = this.#now();
    const request = this.#callOf(version, 'GET', this.#anyActor(gateway));
    const query = { ...request.query, retention: '' };
    const answer = await this.asker.ask(gateway, { ...request, query });
    if (answer === undefined || answer.status >= 500) return;
    const name = nameOf(version);
    const seen = this.#seen(version, calledAt);
    const code = elementOf(answer, 'Code');
    if (code === 'NoSuchVersion')
      return this.histories.noteRead(name, { kind: 'read-absent', seen }, calledAt);
    if (answer.status !== 200 && code !== 'NoSuchObjectLockConfiguration') {
      this.problems.push(`the retention of ${name}: ${wordsOf(answer)}`);
      return;
    }
    const until = parseIsoDate(elementOf(answer, 'RetainUntilDate') ?? '');
    const retention = retentionFrom(elementOf(answer, 'Mode'), until);
    const call = { kind: 'read', retention, storageClass: undefined, seen } as const;
    this.histories.noteRead(name, call, calledAt);
  }

  /** What rules were to do with it is done, by the end. */
  async #checkRules(gateway: SimulatedGateway, version: KnownVersion): Promise<void> {
    const answer = await this.#read(gateway, version, 'must answer');
    if (answer === undefined) return;
    const name = nameOf(version);
    if (version.key.startsWith('cooling/') && headerOf(answer, 'x-amz-storage-class') !== cold)
      this.problems.push(`${name} is not ${cold} at the end`);
    const retention = retentionOf(answer);
    if (version.key.startsWith('fading/') && retention.untilMs < this.#wallMs() - rulesMsMax)
      this.problems.push(`${name} should have been removed: kept by ${wordOf(retention)}`);
  }

  /** Keys and ids of versions and markers. */
  async #list(
    gateway: SimulatedGateway,
    bucket: S3Bucket,
  ): Promise<readonly (readonly [string, string])[]> {
    const call = { method: 'GET', path: `/${bucket.name}`, query: { versions: '' } };
    const answer = await bucket.insist(gateway, call);
    const entries = /<(Version|DeleteMarker)>([\s\S]*?)<\/\1>/g;
    return [...decodeUtf8(answer?.body ?? new Uint8Array(0)).matchAll(entries)].map(
      ([, , body = '']) =>
        [
          /<Key>([^<]*)</.exec(body)?.[1] ?? '',
          /<VersionId>([^<]*)</.exec(body)?.[1] ?? '',
        ] as const,
    );
  }
}

const passOver = { 'x-amz-bypass-governance-retention': 'true' } as const;

function nameOf({ sealed, key, id }: KnownVersion): string {
  return `${sealed.bucket.name}/${key} ${id}`;
}

function wordOf({ mode, untilMs }: Retention): string {
  return mode === 'none' ? mode : `${mode} until ${formatIsoDate(untilMs)}`;
}

function idOf(answer: WholeResponse): string {
  return headerOf(answer, 'x-amz-version-id');
}

function retentionFrom(mode: string | undefined, untilMs: number | undefined): Retention {
  if (mode === undefined || mode === '') return nothingKeeps;
  return { mode: mode as Mode, untilMs: untilMs ?? Number.NaN };
}

function retentionOf(answer: WholeResponse): Retention {
  const until = parseIsoDate(headerOf(answer, 'x-amz-object-lock-retain-until-date'));
  return retentionFrom(headerOf(answer, 'x-amz-object-lock-mode'), until);
}

/** Counted from when the gateway made it, by its clock. */
function isByDefault(
  { mode, untilMs }: Retention,
  by: Default,
  madeMs: { readonly first: number; readonly last: number },
): boolean {
  if (mode !== by.mode) return false;
  if (mode === 'none') return true;
  const sinceMs = untilMs - by.days * dayMs;
  // Clocks show whole milliseconds.
  return (
    sinceMs >= madeMs.first - gatewayWrongMsMax - 1 && sinceMs <= madeMs.last + gatewayWrongMsMax
  );
}

function headersOf(retention: Retention | undefined): Record<string, string> {
  if (retention === undefined) return {};
  return {
    'x-amz-object-lock-mode': retention.mode,
    'x-amz-object-lock-retain-until-date': formatIsoDate(retention.untilMs),
  };
}

function bodyOf({ mode, untilMs }: Retention): string {
  if (mode === 'none') return '<Retention/>';
  const until = `<RetainUntilDate>${formatIsoDate(untilMs)}</RetainUntilDate>`;
  return `<Retention><Mode>${mode}</Mode>${until}</Retention>`;
}

function documentOf({ mode, days }: Default): string {
  const kept = `<Rule><DefaultRetention><Mode>${mode}</Mode><Days>${days}</Days></DefaultRetention></Rule>`;
  const rule = mode === 'none' ? '' : kept;
  return `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`;
}
