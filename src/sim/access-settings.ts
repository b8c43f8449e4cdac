// What lets whom do what with a bucket and its objects, as far as the simulator sets it: the block of public access, a
// policy, the bucket's access list, who owns what is put, and the lists of objects. Written down here once more, apart
// from the gateway's own code, for its answers to be held against. And the same of CORS rules.

import type { Model } from './linearizability.ts';

/** Flags of the public access block by letter, in this order; `none`: there is no block. */
export const blockFlags = [
  ['A', 'BlockPublicAcls'],
  ['I', 'IgnorePublicAcls'],
  ['P', 'BlockPublicPolicy'],
  ['R', 'RestrictPublicBuckets'],
] as const;

export type PolicyName = 'none' | 'public' | 'user' | 'mixed';

export type BucketAcl = 'private' | 'public-read' | 'public-read-write' | 'authenticated-read';

export type OwnershipName =
  | 'none'
  | 'BucketOwnerEnforced'
  | 'BucketOwnerPreferred'
  | 'ObjectWriter';

/** As a header names it; undefined: there is none. */
export type ObjectAcl =
  | 'private'
  | 'public-read'
  | 'authenticated-read'
  | 'bucket-owner-full-control';

/** What may be in force at one moment. */
export interface Settings {
  readonly block: string;
  readonly policy: PolicyName;
  readonly acl: BucketAcl;
  readonly ownership: OwnershipName;
}

/** The owner of the bucket, another user, or nobody in particular. */
export type Who = 'admin' | 'eve' | '';

export type ObjectAction = 's3:GetObject' | 's3:GetObjectAcl' | 's3:PutObject' | 's3:PutObjectAcl';

/** Of each policy, what it lets everybody do, and what the user. */
export const policyActions: Readonly<
  Record<PolicyName, { readonly everybody: readonly string[]; readonly user: readonly string[] }>
> = {
  none: { everybody: [], user: [] },
  public: { everybody: ['s3:GetObject'], user: [] },
  user: {
    everybody: [],
    user: ['s3:GetObject', 's3:GetObjectAcl', 's3:PutObject', 's3:PutObjectAcl'],
  },
  mixed: { everybody: ['s3:GetObject'], user: ['s3:PutObject'] },
};

export function isPublicPolicy(policy: PolicyName): boolean {
  return policyActions[policy].everybody.length > 0;
}

function policyAllows({ block, policy }: Settings, who: Who, action: ObjectAction): boolean {
  // Nobody but its own users is let in by a public policy then, also by what of it is not public.
  if (block.includes('R') && isPublicPolicy(policy) && who !== 'admin') return false;
  const { everybody, user } = policyActions[policy];
  return everybody.includes(action) || (who === 'eve' && user.includes(action));
}

function isEnforced({ ownership }: Settings): boolean {
  return ownership === 'BucketOwnerEnforced';
}

/** Whether groups that anybody or any user is in, are granted it by a list. */
function listAllows(acl: BucketAcl | ObjectAcl, who: Who, permission: 'READ' | 'WRITE'): boolean {
  if (permission === 'WRITE') return acl === 'public-read-write';
  if (acl === 'authenticated-read') return who !== '';
  return acl === 'public-read' || acl === 'public-read-write';
}

function bucketListAllows(settings: Settings, who: Who, permission: 'READ' | 'WRITE'): boolean {
  if (isEnforced(settings) || settings.block.includes('I')) return false;
  return listAllows(settings.acl, who, permission);
}

export function mayList(settings: Settings, who: Who): boolean {
  return who === 'admin' || bucketListAllows(settings, who, 'READ');
}

export function isPublicList(acl: BucketAcl | ObjectAcl | undefined): boolean {
  return acl !== undefined && acl !== 'private' && acl !== 'bucket-owner-full-control';
}

/** An object: `ETAG/OWNER/LIST`. */
export type Fact = string;

/** There is no such object. */
export const absent: Fact = '-';

export function factOf(etag: string, owner: Who, acl: ObjectAcl | undefined): Fact {
  // The owner of the bucket needs no grant beside the one it has as the object's.
  const isPlain = acl === undefined || (acl === 'bucket-owner-full-control' && owner === 'admin');
  return `${etag}/${owner}/${isPlain ? 'private' : acl}`;
}

function partsOf(fact: Fact): { readonly etag: string; readonly owner: Who; acl: ObjectAcl } {
  const [etag = '', owner, acl] = fact.split('/');
  return { etag, owner: owner as Who, acl: acl as ObjectAcl };
}

/** How a request to change something is answered, where it is not done. */
export type Refusal = 'denied' | 'unsupported';

export interface NewObject {
  readonly etag: string;
  readonly who: Who;
  readonly acl: ObjectAcl | undefined;
}

/** What a put makes, or why it is refused. */
export function putOutcome(settings: Settings, { etag, who, acl }: NewObject): Fact | Refusal {
  const may = (action: ObjectAction): boolean =>
    who === 'admin' ||
    policyAllows(settings, who, action) ||
    bucketListAllows(settings, who, 'WRITE');
  if (!may('s3:PutObject')) return 'denied';
  if (isEnforced(settings)) {
    const changesNothing = acl === undefined || acl === 'bucket-owner-full-control';
    return changesNothing ? factOf(etag, 'admin', undefined) : 'unsupported';
  }
  if (isPublicList(acl)) {
    if (settings.block.includes('A')) return 'denied';
    if (!may('s3:PutObjectAcl')) return 'denied';
  }
  const isGivenAway =
    settings.ownership === 'BucketOwnerPreferred' && acl === 'bucket-owner-full-control';
  return factOf(etag, who === '' || isGivenAway ? 'admin' : who, acl);
}

/** What of the settings decides on a request about an object that is there, or not. */
export interface View {
  /** The policy lets it in. */
  readonly policy: boolean;
  readonly enforced: boolean;
  readonly ignores: boolean;
  readonly blocks: boolean;
  /** Whoever may list is told what is not there. */
  readonly lists: boolean;
}

/** All that differ. */
export function viewsOf(
  possible: readonly Settings[],
  who: Who,
  action: ObjectAction,
): readonly View[] {
  const views = new Map<string, View>();
  for (const settings of possible) {
    const view = {
      policy: policyAllows(settings, who, action),
      enforced: isEnforced(settings),
      ignores: settings.block.includes('I'),
      blocks: settings.block.includes('A'),
      lists: mayList(settings, who),
    };
    views.set(JSON.stringify(view), view);
  }
  return [...views.values()];
}

/** What an answer says of an object. */
export type Answered =
  | { readonly kind: 'denied' | 'absent' | 'unsupported' }
  | { readonly kind: 'read'; readonly etag: string }
  | { readonly kind: 'list-read'; readonly owner: string; readonly acl: string };

export interface ReadCall {
  readonly kind: 'read';
  readonly who: Who;
  readonly action: 's3:GetObject' | 's3:GetObjectAcl';
  /** Of settings that its gateway may have gone by. */
  readonly views: readonly View[];
  readonly answer: Answered;
}

/** A list that was put for an object. */
export interface PutListCall {
  readonly kind: 'put-list';
  readonly who: Who;
  readonly acl: ObjectAcl;
  /** None until it is answered. */
  views: readonly View[];
  /** A refusal; undefined: it was done, or nobody knows. */
  answer: Answered | undefined;
}

export interface PutCall {
  readonly kind: 'put';
  /** Those that are possible; none: it was refused, or is not answered yet. */
  results: readonly Fact[];
}

export type ObjectCall = PutCall | ReadCall | PutListCall;

type Access = 'granted' | 'denied' | 'absent';

function accessOf(view: View, call: ReadCall | PutListCall, fact: Fact): Access {
  const { who } = call;
  if (!view.policy && view.enforced && who !== 'admin') return 'denied';
  if (fact === absent) return view.lists ? 'absent' : 'denied';
  if (view.policy || view.enforced) return 'granted';
  const { owner, acl } = partsOf(fact);
  if (who !== '' && owner === who) return 'granted';
  if (acl === 'bucket-owner-full-control') return who === 'admin' ? 'granted' : 'denied';
  const isRead = call.kind === 'read' && call.action === 's3:GetObject' && !view.ignores;
  return isRead && listAllows(acl, who, 'READ') ? 'granted' : 'denied';
}

function isListRefused(view: View, { acl }: PutListCall): boolean {
  return view.blocks && isPublicList(acl);
}

function explains(view: View, call: ReadCall | PutListCall, fact: Fact, answer: Answered): boolean {
  const access = accessOf(view, call, fact);
  switch (answer.kind) {
    case 'absent':
      // Whoever was let in by what is gone since is told that it is.
      return access === 'absent' || (call.kind === 'put-list' && fact === absent);
    case 'denied':
      if (access === 'denied' || call.kind === 'read') return access === 'denied';
      return access === 'granted' && !view.enforced && isListRefused(view, call);
    case 'unsupported':
      return access === 'granted' && view.enforced;
    case 'read':
      return access === 'granted' && partsOf(fact).etag === answer.etag;
    case 'list-read': {
      if (access !== 'granted') return false;
      const shown = view.enforced ? { owner: 'admin', acl: 'private' } : partsOf(fact);
      return shown.owner === answer.owner && shown.acl === answer.acl;
    }
  }
}

function mayHavePut(call: PutListCall, fact: Fact): boolean {
  return call.views.some(
    (view) =>
      accessOf(view, call, fact) === 'granted' && !view.enforced && !isListRefused(view, call),
  );
}

function stateOf(facts: readonly Fact[]): string | undefined {
  return facts.length === 0 ? undefined : [...new Set(facts)].sort().join(' ');
}

function changedBy(call: PutListCall, facts: readonly Fact[]): readonly Fact[] {
  return facts
    .filter((fact) => mayHavePut(call, fact))
    .map((fact) => {
      const { etag, owner } = partsOf(fact);
      return factOf(etag, owner, call.acl);
    });
}

/**
 * States are all that an object may be, since who owns what was put follows from settings that are not known for
 * certain: each answer leaves of them what it can be an answer about.
 */
export const accessModel: Model<string, ObjectCall> = (state, call) => {
  if (call.kind === 'put') return stateOf(call.results) ?? state;
  const facts = state === '' ? [absent] : state.split(' ');
  const { answer } = call;
  if (answer === undefined)
    return call.kind === 'read' ? undefined : stateOf(changedBy(call, facts));
  return stateOf(
    facts.filter((fact) => call.views.some((view) => explains(view, call, fact, answer))),
  );
};

export interface CorsRule {
  readonly origin: string;
  readonly methods: readonly string[];
}

/** Each exposes a header of its own, by which an answer tells whose it is. */
export const corsRules: readonly (readonly CorsRule[])[] = [
  [],
  [{ origin: 'http://a.test', methods: ['GET', 'PUT'] }],
  [{ origin: '*', methods: ['GET'] }],
  [
    { origin: 'http://*.test', methods: ['PUT'] },
    { origin: 'http://b.test', methods: ['GET', 'DELETE'] },
  ],
];

export function exposedBy(rules: number): string {
  return `x-amz-meta-${rules}`;
}

/** What a page of that origin is told: `ORIGIN METHODS EXPOSED`, or `none`. */
export function corsAnswer(
  rules: number,
  question: { readonly origin: string; readonly method: string; readonly isPreflight: boolean },
): string {
  const { origin, method, isPreflight } = question;
  const rule = corsRules[rules]?.find((each) => {
    const [begin = '', end] = each.origin.split('*');
    const isFor =
      end === undefined ? begin === origin : origin.startsWith(begin) && origin.endsWith(end);
    return isFor && each.methods.includes(method);
  });
  if (rule === undefined) return 'none';
  const allowed = rule.origin === '*' && !isPreflight ? '*' : origin;
  return `${allowed} ${isPreflight ? method : rule.methods.join(', ')} ${exposedBy(rules)}`;
}
