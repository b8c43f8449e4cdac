// Where a bucket's access log goes. The target consents by its policy; what would make no sense is refused, as radosgw does.

import type { HttpResponse } from '../../env/http.ts';
import { mayLogTo } from '../authorization.ts';
import {
  accessBucket,
  emptyResponse,
  type OperationContext,
  readBody,
  wholeNowMs,
  xmlResponse,
} from '../context.ts';
import type { BucketAccess, KnownBucket } from '../index/index-client.ts';
import {
  type BucketLogging,
  bucketLoggingOf,
  formatBucketLogging,
  formatKeptLogging,
  parseBucketLogging,
} from '../protocol/bucket-logging.ts';
import { formatHttpDate } from '../protocol/dates.ts';
import { S3Error } from '../protocol/errors.ts';
import { payerOf } from '../protocol/request-payment.ts';
import { textElement, xmlDocument } from '../protocol/xml.ts';

/** As S3 has it: a policy may let others read the configuration, but not change it. */
function checkOwner(context: OperationContext, access: BucketAccess): void {
  if (context.user.name !== access.record.owner) throw new S3Error('AccessDenied');
}

async function findTarget(context: OperationContext, name: string): Promise<KnownBucket> {
  try {
    return await context.parts.index.lookUp(name);
  } catch (error) {
    if (error instanceof S3Error && error.code === 'NoSuchBucket')
      throw new S3Error('NoSuchKey', 'The logging bucket does not exist');
    throw error;
  }
}

async function checkTarget(
  context: OperationContext,
  access: BucketAccess,
  logging: BucketLogging,
): Promise<void> {
  const { targetBucket, targetPrefix } = logging;
  if (targetBucket === access.name)
    throw new S3Error('InvalidArgument', 'A bucket can not be its own logging bucket');
  const target = await findTarget(context, targetBucket);
  const { configuration } = target;
  // The target's owner has every right to what is in it already.
  if (logging.grantees.some((grantee) => grantee !== target.record.owner))
    throw new S3Error('NotImplemented', 'TargetGrants to others than the owner of the target');
  const source = { bucket: access.name, owner: access.record.owner };
  if (!mayLogTo(target, { bucket: targetBucket, prefix: targetPrefix }, source))
    throw new S3Error(
      'AccessDenied',
      'The policy of the logging bucket does not let logging.s3.amazonaws.com put objects there',
    );
  if (configuration.get('logging') !== undefined)
    throw new S3Error('InvalidArgument', 'The logging bucket is logged itself');
  if (configuration.get('encryption') !== undefined)
    throw new S3Error('InvalidArgument', 'The logging bucket has a default encryption');
  if (payerOf(configuration) === 'Requester')
    throw new S3Error('InvalidArgument', 'Requesters pay for the logging bucket');
}

function isSame(a: BucketLogging | undefined, b: BucketLogging): boolean {
  return (
    a !== undefined &&
    a.targetBucket === b.targetBucket &&
    a.targetPrefix === b.targetPrefix &&
    a.keyFormat === b.keyFormat &&
    a.rollMs === b.rollMs
  );
}

export async function putBucketLogging(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketLogging', 'looked-up');
  checkOwner(context, access);
  const { index } = context.parts;
  const logging = parseBucketLogging(await readBody(context));
  if (logging === undefined) {
    await index.putDocument(access, 'logging', undefined);
    return emptyResponse(200);
  }
  await checkTarget(context, access, logging);
  if (isSame(bucketLoggingOf(access.configuration), logging)) return emptyResponse(200);
  const kept = formatKeptLogging({ ...logging, changedMs: wholeNowMs(context.parts) });
  await index.putDocument(access, 'logging', kept);
  return emptyResponse(200);
}

export async function getBucketLogging(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:GetBucketLogging', 'looked-up');
  const logging = bucketLoggingOf(access.configuration);
  return xmlResponse(
    formatBucketLogging(logging),
    logging === undefined ? [] : [['last-modified', formatHttpDate(logging.changedMs)]],
  );
}

/** Ceph's: delivers now what this gateway has of the bucket's requests. */
export async function postBucketLogging(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:PutBucketLogging', 'looked-up');
  checkOwner(context, access);
  if (bucketLoggingOf(access.configuration) === undefined)
    throw new S3Error('InvalidRequest', 'The bucket is not logged');
  const outcome = await context.parts.accessLog.flush(access.name);
  if (outcome?.kind === 'lost') throw outcome.error;
  const key = outcome?.key ?? '';
  return xmlResponse(
    xmlDocument('PostBucketLoggingResult', textElement('FlushedLoggingObject', key)),
  );
}
