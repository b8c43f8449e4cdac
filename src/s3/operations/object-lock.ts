// Object lock: the bucket's default, and retention and legal hold of one version.

import type { HttpResponse } from '../../env/http.ts';
import { isAllowed, type Question } from '../authorization.ts';
import {
  accessBucket,
  emptyResponse,
  keyOf,
  type OperationContext,
  readBody,
  versionHeader,
  wholeNowMs,
  xmlResponse,
} from '../context.ts';
import type { BucketAccess } from '../index/index-client.ts';
import { S3Error } from '../protocol/errors.ts';
import {
  checkNewObjectLock,
  formatLegalHold,
  formatObjectLock,
  formatRetention,
  parseLegalHold,
  parseObjectLock,
  parseRetention,
  requireObjectLock,
} from '../protocol/object-lock.ts';
import { versioningOf } from '../protocol/versioning.ts';
import { readEntry, wantedOf } from '../read-entry.ts';
import { updateObject } from '../update-object.ts';

export async function putObjectLockConfiguration(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketObjectLockConfiguration', 'looked-up');
  const body = await readBody(context);
  checkNewObjectLock(body);
  const lock = parseObjectLock(body);
  if (versioningOf(access.configuration) !== 'enabled')
    throw new S3Error(
      'InvalidBucketState',
      'Versioning must be enabled on the bucket to apply an Object Lock configuration',
    );
  await context.parts.index.putDocument(access, 'object-lock', formatObjectLock(lock), [
    'versioning',
  ]);
  return emptyResponse(200);
}

export async function getObjectLockConfiguration(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:GetBucketObjectLockConfiguration', 'looked-up');
  const document = access.configuration.get('object-lock');
  if (document === undefined)
    throw new S3Error('ObjectLockConfigurationNotFoundError', undefined, {
      detail: { BucketName: access.name },
    });
  return xmlResponse(document);
}

/** What asks to pass over governance needs the right to. */
export async function bypassesGovernance(
  context: OperationContext,
  access: BucketAccess,
  version: Pick<Question, 'key' | 'versionId'>,
): Promise<boolean> {
  const header = context.request.headers.get('x-amz-bypass-governance-retention');
  if (header?.toLowerCase() !== 'true') return false;
  return isAllowed(context, access, { action: 's3:BypassGovernanceRetention', ...version });
}

export async function putObjectRetention(context: OperationContext): Promise<HttpResponse> {
  const retention = parseRetention(await readBody(context), wholeNowMs(context.parts));
  const lock = { retention };
  const access = await accessBucket(context, 's3:PutObjectRetention', 'remembered', { lock });
  requireObjectLock(access.configuration);
  const bypassGovernance = await bypassesGovernance(context, access, { key: keyOf(context) });
  const change = { kind: 'retention', retention, bypassGovernance } as const;
  const changed = await updateObject(context, access, change);
  return emptyResponse(200, versionHeader(access, changed));
}

export async function getObjectRetention(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:GetObjectRetention');
  requireObjectLock(access.configuration);
  const { retention } = await readEntry(context, access, wantedOf(context, keyOf(context)));
  if (retention === undefined) throw new S3Error('NoSuchObjectLockConfiguration');
  return xmlResponse(formatRetention(retention));
}

export async function putObjectLegalHold(context: OperationContext): Promise<HttpResponse> {
  const on = parseLegalHold(await readBody(context));
  const lock = { legalHold: on };
  const access = await accessBucket(context, 's3:PutObjectLegalHold', 'remembered', { lock });
  requireObjectLock(access.configuration);
  const changed = await updateObject(context, access, { kind: 'legalHold', on });
  return emptyResponse(200, versionHeader(access, changed));
}

export async function getObjectLegalHold(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:GetObjectLegalHold');
  requireObjectLock(access.configuration);
  const { legalHold } = await readEntry(context, access, wantedOf(context, keyOf(context)));
  if (legalHold === undefined) throw new S3Error('NoSuchObjectLockConfiguration');
  return xmlResponse(formatLegalHold(legalHold));
}
