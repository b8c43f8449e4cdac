// PutObject: body first, proved, then one call on the index.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { Version } from '../../base/method.ts';
import type { BodySource, HttpResponse } from '../../env/http.ts';
import {
  accessBucket,
  emptyResponse,
  type GatewayParts,
  keyOf,
  newVersionHeader,
  type OperationContext,
  wholeNowMs,
} from '../context.ts';
import { causeOf, noticesFor, withNotices } from '../event-notices.ts';
import type { EventCause } from '../index/event-format.ts';
import { type Content, type EntryBody, encodeEntryDraft } from '../index/format.ts';
import { type BucketAccess, refusalError } from '../index/index-client.ts';
import { putEntry } from '../index/messages.ts';
import { newObject, newObjectCipher } from '../new-object.ts';
import { soleNonce } from '../object-cipher.ts';
import { checksumHeader } from '../protocol/checksums.ts';
import { parseWriteConditions, type WriteConditions } from '../protocol/conditions.ts';
import { customerKeyPrefix, encryptionHeaders, parseCustomerKey } from '../protocol/encryption.ts';
import { S3Error } from '../protocol/errors.ts';
import { quoteEtag } from '../protocol/etag.ts';
import { expirationHeader, lifecycleOf } from '../protocol/lifecycle.ts';
import { putBytesMax } from '../protocol/limits.ts';
import type { EventName } from '../protocol/notification.ts';
import {
  collectContentHeaders,
  collectMetadata,
  parseTaggingHeader,
} from '../protocol/object-headers.ts';
import { Payload, type PayloadDigests } from '../protocol/payload.ts';
import { versioningOf } from '../protocol/versioning.ts';
import { checkPutRights } from '../put-rights.ts';
import { type StoredBody, storeBody } from '../store-body.ts';

/** A body of known length that says what it was once it has been read. */
export interface ProvedBody extends BodySource {
  readonly sizeBytes: number;
  finish(): Promise<PayloadDigests>;
}

export async function putObject(context: OperationContext): Promise<HttpResponse> {
  const { clock } = context.parts.env;
  const payload = new Payload(context.request, context.payload, { clock });
  return putBody(context, payload, 'ObjectCreated:Put');
}

/** Stores the body under the key of the request, described by its headers. */
export async function putBody(
  context: OperationContext,
  payload: ProvedBody,
  eventName: EventName,
): Promise<HttpResponse> {
  const { parts, request } = context;
  const { headers } = request;
  const key = keyOf(context);
  const conditions = parseWriteConditions(headers);
  const described = {
    headers: collectContentHeaders(headers),
    metadata: collectMetadata(headers),
    tags: parseTaggingHeader(headers.get('x-amz-tagging')),
  };
  if (payload.sizeBytes > putBytesMax)
    throw new S3Error('EntityTooLarge', undefined, {
      detail: { ProposedSize: String(payload.sizeBytes), MaxSizeAllowed: String(putBytesMax) },
    });
  const access = await accessBucket(context, 's3:PutObject');
  const object = newObject(context, access);
  await checkPutRights(context, access, object, described.tags);
  await parts.quotas.check(access, { bytes: payload.sizeBytes, objects: 1 }, 'reserve');
  const cipher = await newObjectCipher(context, access);
  const stored = await storeBody(parts, {
    access,
    key,
    source: payload,
    sizeBytes: payload.sizeBytes,
    small: 'inline',
    cipher,
    prove: () => payload.finish(),
  });
  const { md5, checksum } = stored.proof;
  const wallMs = wholeNowMs(parts);
  const entry: EntryBody = {
    sizeBytes: payload.sizeBytes,
    etag: md5,
    wallMs,
    checksum: checksum === undefined ? undefined : { ...checksum, type: 'FULL_OBJECT' },
    ...described,
    ...object,
    encryption: cipher?.encryption,
    uploadId: undefined,
    partCount: 0,
    content: contentOf(stored, payload.sizeBytes),
  };
  const order = { key, conditions, entry, eventName, cause: causeOf(context) };
  const committed = await commitEntry(parts, access, order);
  const answer: [string, string][] = [
    ['etag', quoteEtag(md5)],
    ...newVersionHeader(committed),
    ...encryptionHeaders(cipher?.encryption, parseCustomerKey(headers, customerKeyPrefix)),
  ];
  answer.push(
    ...expirationHeader(lifecycleOf(access.configuration), {
      key,
      sizeBytes: payload.sizeBytes,
      wallMs,
      tags: described.tags,
    }),
  );
  if (checksum !== undefined)
    answer.push(
      [checksumHeader(checksum.algorithm), checksum.value],
      ['x-amz-checksum-type', 'FULL_OBJECT'],
    );
  return emptyResponse(200, answer);
}

export function contentOf(stored: StoredBody<unknown>, sizeBytes: number): Content {
  if (stored.kind === 'inline') return { kind: 'inline', bytes: stored.bytes };
  return {
    kind: 'direct',
    extents: [
      { sizeBytes, runs: stored.runs, checksum: undefined, partNumber: 0, nonce: soleNonce },
    ],
  };
}

export interface NewEntry {
  readonly key: string;
  readonly conditions: WriteConditions;
  readonly entry: EntryBody;
  readonly eventName: EventName;
  readonly cause: EventCause;
}

/**
 * Makes the entry the object's, and tells of it. From here on the outcome may be unknown; nothing is cleaned up.
 */
export async function commitEntry(
  parts: GatewayParts,
  access: BucketAccess,
  { key, conditions, entry, eventName, cause }: NewEntry,
): Promise<{ readonly version: Version; readonly isNull: boolean }> {
  const possible = [{ key, name: eventName }];
  const notices = await noticesFor(parts, access, { cause, possible });
  const argument = {
    key: encodeUtf8(key),
    conditions,
    versioning: versioningOf(access.configuration),
    hasBlobs: entry.content.kind !== 'inline',
    entry: encodeEntryDraft(entry),
  };
  const answer = await withNotices(notices, putEntry, argument, (call, argument) =>
    parts.index.callKey(access, key, call, argument),
  );
  if (answer.kind === 'refused') throw refusalError(answer.reason, access.name, key);
  return { version: answer.version, isNull: entry.isNull };
}
