// Who may do what. Each operation names its action; the bucket's policy, its access list and its owner decide here, in
// one place, and the object's own list once the object is read:
//
// 1. a policy that denies, denies, be it the requester's or the bucket's; only its own bucket's policy an owner can always read
//    and change;
// 2. users of an account (but its root) and sessions of roles may do nothing that neither their own policies allow, nor
//    the policy of a bucket of their account to them by name;
// 3. a policy that allows, allows; a requester's own only inside its account;
// 4. a bucket's owner may do everything with the bucket, an object's owner everything with the object;
// 5. what is left, access lists grant: a bucket's for what is done to the bucket, an object's for what is done to the object.
//
// Before all that, in a bucket whose requesters pay, others than its owner must be somebody, and say that they know.

import type { Env } from '../env/env.ts';
import { type Identity, isAccountId, judgeRequester, type Requester } from './iam/identities.ts';
import type { BucketConfiguration } from './index/bucket-documents.ts';
import { decodeEntry, type Entry } from './index/format.ts';
import type { BucketAccess, IndexClient, Judge, KnownBucket } from './index/index-client.ts';
import { parseVersionId } from './index/version-id.ts';
import { type Acl, aclGrants, isPublicAcl, type Permission, parseKeptAcl } from './protocol/acl.ts';
import { formatIsoDate, parseIsoDate } from './protocol/dates.ts';
import { S3Error } from './protocol/errors.ts';
import { type NamedValues, parseTaggingHeader } from './protocol/object-headers.ts';
import type { VersionLock } from './protocol/object-lock.ts';
import { ownershipOf, publicAccessBlockOf } from './protocol/ownership.ts';
import {
  judgePolicy,
  type Policy,
  type PolicyContext,
  type PolicyVerdict,
  parsePolicy,
  policyMentions,
  resourcePrefix,
} from './protocol/policy.ts';
import { isPublicPolicy } from './protocol/public-policy.ts';
import type { S3Request } from './protocol/request.ts';
import { payerOf } from './protocol/request-payment.ts';
import { isSignedV2 } from './protocol/sigv2.ts';
import type { RequestTrace } from './request-trace.ts';

const dayMs = 86_400_000;

/** Actions as policies name them. */
export type Action = `s3:${string}`;

export interface Question {
  readonly action: Action;
  readonly key: string | undefined;
  /** Default: what the request names. */
  readonly versionId?: string | undefined;
  /** Of a listing that would show it. Default: what the request names. */
  readonly prefix?: string;
  /** What it would set. Default: what the request's headers say. */
  readonly sets?: { readonly tags?: NamedValues; readonly lock?: Partial<VersionLock> };
  /** About an object that the request makes: it has no list yet, and who may write into the bucket may make it so. */
  readonly ofNew?: boolean;
}

/** What is asked for in place of an action where the request names a version. */
const versionActions: Readonly<Partial<Record<Action, Action>>> = {
  's3:GetObject': 's3:GetObjectVersion',
  's3:GetObjectAcl': 's3:GetObjectVersionAcl',
  's3:GetObjectAttributes': 's3:GetObjectVersionAttributes',
  's3:GetObjectTagging': 's3:GetObjectVersionTagging',
  's3:PutObjectAcl': 's3:PutObjectVersionAcl',
  's3:PutObjectTagging': 's3:PutObjectVersionTagging',
  's3:DeleteObject': 's3:DeleteObjectVersion',
  's3:DeleteObjectTagging': 's3:DeleteObjectVersionTagging',
};

export function actionOn(action: Action, versionId: string | undefined): Action {
  return versionId === undefined || versionId === '' ? action : (versionActions[action] ?? action);
}

export interface Asker {
  readonly user: Requester;
  readonly request: S3Request;
  readonly parts: { readonly env: Env; readonly index: IndexClient; readonly region: string };
  /** Told when nothing but an access list lets the request in, and when somebody else than the bucket's owner pays. */
  readonly trace?: RequestTrace;
}

/** What of a bucket's access list grants an action on it; nothing does for the rest. */
const bucketPermissions: Readonly<Record<string, Permission>> = {
  's3:ListBucket': 'READ',
  's3:ListBucketVersions': 'READ',
  's3:ListBucketMultipartUploads': 'READ',
  's3:GetBucketAcl': 'READ_ACP',
  's3:PutBucketAcl': 'WRITE_ACP',
  's3:PutObject': 'WRITE',
  's3:DeleteObject': 'WRITE',
  's3:DeleteObjectVersion': 'WRITE',
  's3:AbortMultipartUpload': 'WRITE',
  's3:ListMultipartUploadParts': 'WRITE',
};

/** What of an object's access list grants an action on it. */
const objectPermissions: Readonly<Record<string, Permission>> = {
  's3:GetObject': 'READ',
  's3:GetObjectVersion': 'READ',
  's3:GetObjectAttributes': 'READ',
  's3:GetObjectVersionAttributes': 'READ',
  's3:GetObjectAcl': 'READ_ACP',
  's3:GetObjectVersionAcl': 'READ_ACP',
  's3:PutObjectAcl': 'WRITE_ACP',
  's3:PutObjectVersionAcl': 'WRITE_ACP',
  's3:GetObjectTagging': 'FULL_CONTROL',
  's3:GetObjectVersionTagging': 'FULL_CONTROL',
  's3:PutObjectTagging': 'FULL_CONTROL',
  's3:PutObjectVersionTagging': 'FULL_CONTROL',
  's3:DeleteObjectTagging': 'FULL_CONTROL',
  's3:DeleteObjectVersionTagging': 'FULL_CONTROL',
  's3:GetObjectRetention': 'FULL_CONTROL',
  's3:PutObjectRetention': 'FULL_CONTROL',
  's3:GetObjectLegalHold': 'FULL_CONTROL',
  's3:PutObjectLegalHold': 'FULL_CONTROL',
};

/** Whatever a policy says, its owner can repair it. */
const ownersAlways = new Set<string>([
  's3:GetBucketPolicy',
  's3:PutBucketPolicy',
  's3:DeleteBucketPolicy',
]);

export function bucketAclOf(configuration: BucketConfiguration): Acl {
  return configuration.parsed('acl', parseKeptAcl) ?? [];
}

/** One that can't be read, because a newer gateway put it, lets nobody in but the owner. */
function policyOf(configuration: BucketConfiguration, isOwner: boolean): Policy | undefined {
  try {
    return configuration.parsed('policy', parsePolicy);
  } catch (error) {
    if (error instanceof S3Error && isOwner) return undefined;
    throw new S3Error('AccessDenied', undefined, { cause: error });
  }
}

/** Values of condition keys, from the request and what it is about. */
function contextOf(asker: Asker, question: Question, entry: Entry | undefined): PolicyContext {
  const { request, user, parts } = asker;
  const { identity } = user;
  const { headers, query } = request;
  const one = (value: string | undefined): readonly string[] | undefined =>
    value === undefined ? undefined : [value];
  const newTags = (): NamedValues =>
    question.sets?.tags ?? parseTaggingHeader(headers.get('x-amz-tagging'));
  const lock = question.sets?.lock;
  const retainedUntil = (): string | undefined =>
    lock?.retention === undefined
      ? headers.get('x-amz-object-lock-retain-until-date')
      : formatIsoDate(lock.retention.untilMs);
  return (key) => {
    if (key.startsWith('s3:existingobjecttag/')) {
      const name = key.slice('s3:existingobjecttag/'.length);
      return one(entry?.tags.find((tag) => tag.name.toLowerCase() === name)?.value);
    }
    if (key.startsWith('s3:requestobjecttag/')) {
      const name = key.slice('s3:requestobjecttag/'.length);
      return one(newTags().find((tag) => tag.name.toLowerCase() === name)?.value);
    }
    if (key.startsWith('s3:x-amz-')) return one(headers.get(key.slice(3)));
    switch (key) {
      case 'aws:sourceip':
        return one(request.remote.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
      case 'aws:referer':
        return one(headers.get('referer'));
      case 'aws:useragent':
        return one(headers.get('user-agent'));
      case 'aws:requestedregion':
        return [parts.region];
      case 'aws:securetransport':
        return ['false'];
      case 'aws:currenttime':
        return [formatIsoDate(parts.env.wall.nowMs())];
      case 'aws:epochtime':
        return [String(Math.floor(parts.env.wall.nowMs() / 1000))];
      case 'aws:username':
        return identity === undefined || identity.isRoot || identity.session?.kind === 'role'
          ? undefined
          : [identity.userName];
      case 'aws:userid':
        // Without account, users are known by their names; the name of a role's session is its taker's choice.
        return one(
          identity?.account === '' && identity.session?.kind !== 'role'
            ? identity.userName
            : identity?.id,
        );
      case 'aws:principalarn':
        return one(identity?.principalArn);
      case 'aws:principaltype':
        if (identity === undefined) return ['Anonymous'];
        if (identity.isRoot) return ['Account'];
        return [identity.session?.kind === 'role' ? 'AssumedRole' : 'User'];
      case 'sts:authentication':
        return [identity?.session === undefined ? 'false' : 'true'];
      case 's3:prefix':
        return one(question.prefix ?? query.get('prefix'));
      case 's3:delimiter':
      case 's3:max-keys':
        return one(query.get(key.slice(3)));
      case 's3:versionid':
        return one(question.versionId ?? query.get('versionId'));
      case 's3:requestobjecttagkeys':
        return newTags().map(({ name }) => name);
      case 's3:authtype':
        return one(
          user.name === ''
            ? undefined
            : query.has('X-Amz-Signature') || query.has('Signature')
              ? 'REST-QUERY-STRING'
              : 'REST-HEADER',
        );
      case 's3:signatureversion':
        if (user.name === '') return undefined;
        return [isSignedV2(request) ? 'AWS' : 'AWS4-HMAC-SHA256'];
      case 's3:if-match':
      case 's3:if-none-match':
        return one(headers.get(key.slice(3)));
      case 's3:object-lock-mode':
        return one(lock?.retention?.mode ?? headers.get('x-amz-object-lock-mode'));
      case 's3:object-lock-retain-until-date':
        return one(retainedUntil());
      case 's3:object-lock-remaining-retention-days': {
        const untilMs = parseIsoDate(retainedUntil() ?? '');
        if (untilMs === undefined) return undefined;
        return [String(Math.ceil((untilMs - parts.env.wall.nowMs()) / dayMs))];
      }
      case 's3:object-lock-legal-hold':
        if (lock?.legalHold !== undefined) return [lock.legalHold ? 'ON' : 'OFF'];
        return one(headers.get('x-amz-object-lock-legal-hold'));
      default:
        return undefined;
    }
  };
}

async function entryOf(
  asker: Asker,
  name: string,
  bucket: KnownBucket,
  question: Question,
): Promise<Entry | undefined> {
  if (question.key === undefined) return undefined;
  const text = question.versionId ?? asker.request.query.get('versionId');
  const id = text === undefined ? undefined : parseVersionId(text);
  const row = await asker.parts.index.peek(name, bucket, question.key, id);
  return row === undefined ? undefined : decodeEntry(row);
}

/** What an identity's own policies say; for nobody in particular there are none. */
function judgeIdentity(
  identity: Identity | undefined,
  action: string,
  resource: string,
  context: PolicyContext,
): PolicyVerdict {
  if (identity === undefined) return 'none';
  const { policies, session } = identity;
  // What most requests are: of a user without account and without policies.
  if (policies.length === 0 && session?.policy === undefined) return 'none';
  const question = { principals: identity.principals, action, resource, context };
  const verdicts = policies.map((policy) => judgePolicy(policy, question));
  if (verdicts.includes('deny')) return 'deny';
  const verdict = verdicts.includes('allow') ? 'allow' : 'none';
  if (session?.policy === undefined) return verdict;
  // Both must allow it.
  const narrowed = judgePolicy(session.policy, question);
  if (narrowed === 'allow') return verdict;
  return narrowed === 'deny' || !identity.needsPolicy ? 'deny' : 'none';
}

/**
 * For what is done to no bucket that is there, and for what IAM and STS do, in the requester's own account.
 * Throws `AccessDenied`.
 */
export function checkIdentity(
  asker: Asker,
  action: string,
  resource: string,
  otherwise: 'allow' | 'deny',
): void {
  const { identity } = asker.user;
  const verdict = judgeOwn(asker, action, resource);
  if (verdict === 'allow') return;
  if (verdict === 'deny' || otherwise === 'deny' || identity?.needsPolicy === true)
    throw new S3Error('AccessDenied');
}

/** What policies may ask of a request that is about no bucket. */
export function requestConditions(asker: Asker): PolicyContext {
  return contextOf(asker, { action: 's3:', key: undefined }, undefined);
}

/** What the requester's own policies say. */
export function judgeOwn(asker: Asker, action: string, resource: string): PolicyVerdict {
  return judgeIdentity(asker.user.identity, action, resource, requestConditions(asker));
}

interface Verdicts {
  readonly ofIdentity: PolicyVerdict;
  readonly ofBucket: PolicyVerdict;
  /** The bucket's policy means the requester, and not only its account. */
  readonly isMeant: boolean;
}

async function verdictsOf(
  asker: Asker,
  name: string,
  bucket: KnownBucket,
  question: Question,
  policy: Policy | undefined,
): Promise<Verdicts> {
  const { user } = asker;
  const { action, key } = question;
  const needsEntry = [
    policy,
    ...(user.identity?.policies ?? []),
    user.identity?.session?.policy,
  ].some((each) => each !== undefined && policyMentions(each, 's3:existingobjecttag/'));
  const entry = needsEntry ? await entryOf(asker, name, bucket, question) : undefined;
  const resource = `${resourcePrefix}${key === undefined ? name : `${name}/${key}`}`;
  const context = contextOf(asker, question, entry);
  const ofIdentity = judgeIdentity(user.identity, action, resource, context);
  if (policy === undefined) return { ofIdentity, ofBucket: 'none', isMeant: false };
  const { verdict, isMeant } = judgeRequester(policy, user, { action, resource, context });
  return { ofIdentity, ofBucket: verdict, isMeant };
}

/** Throws `AccessDenied` for who would pay and can't be asked to, or did not say so. */
export function checkPayer({ user, request, trace }: Asker, bucket: KnownBucket): void {
  const { record, configuration } = bucket;
  if (user.name === record.owner || payerOf(configuration) === 'BucketOwner') return;
  const payer = request.headers.get('x-amz-request-payer')?.toLowerCase();
  if (user.name === '' || payer !== 'requester') throw new S3Error('AccessDenied');
  if (trace !== undefined) trace.isCharged = true;
}

/** Throws `AccessDenied`. */
export function judgeOf(asker: Asker, question: Question): Judge {
  const judge: Judge['judge'] = async (name, bucket) => {
    const { record, configuration } = bucket;
    const { user } = asker;
    checkPayer(asker, bucket);
    const { identity } = user;
    const { action, key } = question;
    const isOwner = user.name !== '' && record.owner === user.name;
    // Users and roles of an account act for the owner, and are held back as others are.
    const isOwnerItself = isOwner && identity?.needsPolicy !== true;
    const policy = policyOf(configuration, isOwnerItself);
    const block = publicAccessBlockOf(configuration);
    const isAlways = isOwnerItself && ownersAlways.has(action);
    if (policy !== undefined || (identity?.policies.length ?? 0) > 0 || identity?.needsPolicy) {
      const verdicts = await verdictsOf(
        asker,
        name,
        bucket,
        question,
        isAlways ? undefined : policy,
      );
      const { ofIdentity, ofBucket, isMeant } = verdicts;
      if (ofIdentity === 'deny' || ofBucket === 'deny') throw new S3Error('AccessDenied');
      const restricted =
        policy !== undefined && block.restrictPublicBuckets && isPublicPolicy(policy) && !isOwner;
      const isGranted = ofBucket === 'allow' && !restricted;
      // Users without account are of one, which is the cluster's: a policy of one opens the others' buckets, and so may
      // theirs.
      const isOfNoAccount = identity?.account === '' && !isAccountId(record.owner);
      const isOfAccount = isOwner || isOfNoAccount;
      if (identity?.needsPolicy === true && ofIdentity !== 'allow') {
        // A bucket may let in a user or role of its own account though nothing else does.
        const isNarrowed = identity.session?.policy !== undefined;
        if (isGranted && isMeant && isOfAccount && !isNarrowed) return 'granted';
        throw new S3Error('AccessDenied');
      }
      if (isGranted) return 'granted';
      if (ofIdentity === 'allow' && isOfNoAccount) return 'granted';
    }
    const isKept = key !== undefined && question.ofNew !== true;
    const ofObject = isKept ? objectPermissions[action] : undefined;
    if (ofObject !== undefined) {
      if (ownershipOf(configuration) !== 'BucketOwnerEnforced') return 'by-object';
      if (isOwner) return 'granted';
      throw new S3Error('AccessDenied');
    }
    if (isOwner) return 'granted';
    const permission = question.ofNew === true ? 'WRITE' : bucketPermissions[action];
    const groups = block.ignorePublicAcls ? 'ignored' : 'all';
    if (permission !== undefined && ownershipOf(configuration) !== 'BucketOwnerEnforced') {
      if (aclGrants(bucketAclOf(configuration), user.name, permission, groups)) {
        if (asker.trace !== undefined) asker.trace.aclRequired = true;
        return 'granted';
      }
    }
    throw new S3Error('AccessDenied');
  };
  return { action: question.action, judge };
}

export async function isAllowed(
  asker: Asker,
  access: BucketAccess,
  question: Question,
): Promise<boolean> {
  try {
    return (await judgeOf(asker, question).judge(access.name, access)) === 'granted';
  } catch (error) {
    if (error instanceof S3Error && error.code === 'AccessDenied') return false;
    throw error;
  }
}

/** What the object's own list has to say, where nothing else let the request in. Throws `AccessDenied`. */
export function checkObjectAcl(asker: Asker, access: BucketAccess, entry: Entry): void {
  if (access.judgement !== 'by-object') return;
  const { name } = asker.user;
  const owner = entry.owner === '' ? access.record.owner : entry.owner;
  if (name !== '' && owner === name) return;
  const permission = objectPermissions[access.judge.action] ?? 'FULL_CONTROL';
  const groups = publicAccessBlockOf(access.configuration).ignorePublicAcls ? 'ignored' : 'all';
  if (!aclGrants(entry.acl ?? [], name, permission, groups)) throw new S3Error('AccessDenied');
  if (asker.trace !== undefined) asker.trace.aclRequired = true;
}

/** The service that delivers access logs, as policies name it. */
export const loggingService = 'logging.s3.amazonaws.com';

/** Of what a service does because of a bucket: the keys that a policy may hold it to. */
export function sourceContext(source: {
  readonly bucket: string;
  readonly owner: string;
}): PolicyContext {
  return (key) => {
    switch (key) {
      case 'aws:sourcearn':
        return [resourcePrefix + source.bucket];
      case 'aws:sourceaccount':
        return [source.owner];
      default:
        return undefined;
    }
  };
}

/**
 * Whether the bucket's policy lets records of another bucket's requests in, below a prefix. The resource that is asked for
 * is the prefix, as in radosgw: which keys there will be nobody knows when logging is turned on.
 */
export function mayLogTo(
  bucket: KnownBucket,
  target: { readonly bucket: string; readonly prefix: string },
  source: { readonly bucket: string; readonly owner: string },
): boolean {
  const policy = policyOf(bucket.configuration, true);
  if (policy === undefined) return false;
  const context = sourceContext(source);
  const verdict = judgePolicy(policy, {
    principals: [],
    service: loggingService,
    action: 's3:PutObject',
    resource: `${resourcePrefix}${target.bucket}/${target.prefix}`,
    context,
  });
  return verdict === 'allow';
}

/** A list that lets in anybody is refused where the bucket blocks that. */
export function checkAclAllowed(configuration: BucketConfiguration, acl: Acl | undefined): void {
  if (acl === undefined || !isPublicAcl(acl)) return;
  if (publicAccessBlockOf(configuration).blockPublicAcls) throw new S3Error('AccessDenied');
}
