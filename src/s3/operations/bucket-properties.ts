// What can be asked about a bucket: that it is there, where, whose, and that it keeps no versions.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import type { Action } from '../authorization.ts';
import {
  accessBucket,
  emptyResponse,
  type Operation,
  type OperationContext,
  xmlResponse,
} from '../context.ts';
import { S3Error, type S3ErrorCode } from '../protocol/errors.ts';
import { escapeXml, xmlDeclaration, xmlDocument } from '../protocol/xml.ts';

export async function headBucket(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:ListBucket', 'looked-up');
  const region = access.record.location === '' ? context.parts.region : access.record.location;
  return emptyResponse(200, [['x-amz-bucket-region', region]]);
}

/** Empty for us-east-1, as AWS has it. */
export async function getBucketLocation(context: OperationContext): Promise<HttpResponse> {
  const access = await accessBucket(context, 's3:GetBucketLocation', 'looked-up');
  const { location } = access.record;
  const region = location === '' ? context.parts.region : location;
  const shown = region === 'us-east-1' ? '' : escapeXml(region);
  return xmlResponse(
    encodeUtf8(
      `${xmlDeclaration}<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${shown}</LocationConstraint>`,
    ),
  );
}

/** What S3 answers about a feature that is off, which it always is here: setting it is not implemented. */
function whenOff(action: Action, document: () => Uint8Array): Operation {
  return async (context) => {
    await accessBucket(context, action, 'looked-up');
    return xmlResponse(document());
  };
}

export const getBucketAccelerate: Operation = whenOff('s3:GetAccelerateConfiguration', () =>
  xmlDocument('AccelerateConfiguration'),
);

function whenNone(action: Action, code: S3ErrorCode): Operation {
  return async (context) => {
    const { name } = await accessBucket(context, action, 'looked-up');
    throw new S3Error(code, undefined, { detail: { BucketName: name } });
  };
}

export const getBucketReplication: Operation = whenNone(
  's3:GetReplicationConfiguration',
  'ReplicationConfigurationNotFoundError',
);
