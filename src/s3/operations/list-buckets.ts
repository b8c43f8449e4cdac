// ListBuckets: the caller's own, in order of their names.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { HttpResponse } from '../../env/http.ts';
import { checkIdentity } from '../authorization.ts';
import { countParameter, type OperationContext, xmlResponse } from '../context.ts';
import { bucketFormat } from '../index/format.ts';
import { bucketsObject } from '../index/index-client.ts';
import { listBuckets as listBucketsCall } from '../index/messages.ts';
import { formatBase64, parseBase64 } from '../protocol/base64.ts';
import { formatIsoDate } from '../protocol/dates.ts';
import { S3Error } from '../protocol/errors.ts';
import { decodeStrictUtf8 } from '../protocol/percent.ts';
import { resourcePrefix } from '../protocol/policy.ts';
import { element, textElement, xmlDocument } from '../protocol/xml.ts';
import { ownerElement } from './list-objects.ts';

/** S3's own limit of a page. */
const bucketsPerPage = 10_000;

function parseToken(token: string | undefined): string {
  if (token === undefined) return '';
  const bytes = parseBase64(token);
  const name = bytes === undefined ? undefined : decodeStrictUtf8(bytes);
  if (name === undefined || name === '')
    throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect');
  return name;
}

export async function listBuckets(context: OperationContext): Promise<HttpResponse> {
  const { parts, user, request } = context;
  // Nobody in particular has no buckets.
  if (user.name === '')
    return xmlResponse(
      xmlDocument('ListAllMyBucketsResult', ownerElement('anonymous'), element('Buckets')),
    );
  checkIdentity(context, 's3:ListAllMyBuckets', `${resourcePrefix}*`, 'allow');
  const prefix = request.query.get('prefix') ?? '';
  const limit = Math.max(1, countParameter(context, 'max-buckets', bucketsPerPage));
  let after: string | undefined = parseToken(request.query.get('continuation-token'));
  const shown: string[] = [];
  // One more than is shown tells whether there is another page.
  let last = '';
  while (after !== undefined && shown.length <= limit) {
    const page: {
      buckets: readonly { name: string; record: Uint8Array }[];
      next: string | undefined;
    } = await parts.index.callObject(bucketsObject, listBucketsCall, {
      owner: user.name,
      prefix,
      after,
      limit: limit + 1 - shown.length,
    });
    for (const { name, record } of page.buckets) {
      if (shown.length < limit) last = name;
      shown.push(
        element(
          'Bucket',
          textElement('Name', name),
          textElement('CreationDate', formatIsoDate(bucketFormat.decode(record).createdWallMs)),
        ),
      );
    }
    after = page.next;
  }
  const token = shown.length > limit ? formatBase64(encodeUtf8(last)) : undefined;
  return xmlResponse(
    xmlDocument(
      'ListAllMyBucketsResult',
      ownerElement(user.name),
      element('Buckets', ...shown.slice(0, limit)),
      textElement('ContinuationToken', token),
      prefix === '' ? '' : textElement('Prefix', prefix),
    ),
  );
}
