// Stores a log object in its target bucket, as the bucket's own, if the bucket's policy lets it in by now.

import { hash } from 'node:crypto';
import { encodeUtf8 } from '../base/bytes.ts';
import type { LogDelivery } from './access-log.ts';
import { loggingService, mayLogTo } from './authorization.ts';
import { type GatewayParts, wholeNowMs } from './context.ts';
import { causeOfService } from './event-notices.ts';
import { plainAttributes, plainSummary } from './index/format.ts';
import type { Judge } from './index/index-client.ts';
import { newCipher } from './object-cipher.ts';
import { commitEntry, contentOf } from './operations/put-object.ts';
import { defaultEncryptionOf } from './protocol/encryption.ts';
import { S3Error } from './protocol/errors.ts';
import { lockOfNew } from './protocol/object-lock.ts';
import { versioningOf } from './protocol/versioning.ts';
import { storeBody } from './store-body.ts';

type Source = LogDelivery['sources'][number];

/** Records of buckets that the target's policy does not name are left out. Throws `AccessDenied` when all are. */
export async function deliverLog(
  parts: GatewayParts,
  { target, key, sources }: LogDelivery,
): Promise<{ readonly refusedCount: number }> {
  let allowed: readonly Source[] = [];
  const judge: Judge = {
    action: 's3:PutObject',
    judge: async (_, bucket) => {
      allowed = sources.filter((source) => mayLogTo(bucket, target, source));
      if (allowed.length === 0) throw new S3Error('AccessDenied');
      return 'granted';
    },
  };
  const access = await parts.index.access(target.bucket, judge, 'looked-up');
  const { configuration } = access;
  const included = allowed;
  const body = encodeUtf8(included.map(({ records }) => records.join('')).join(''));
  const sizeBytes = body.length;
  // Before the body may be encrypted where it is.
  const etag = hash('md5', body, 'hex');
  await parts.quotas.check(access, { bytes: sizeBytes, objects: 1 }, 'reserve');
  const wanted = defaultEncryptionOf(configuration);
  const cipher = wanted === undefined ? undefined : await newCipher(parts, wanted);
  const left = [body];
  const stored = await storeBody(parts, {
    access,
    key,
    source: { next: async () => left.shift() },
    sizeBytes,
    small: 'inline',
    cipher,
    prove: async () => undefined,
  });
  const wallMs = wholeNowMs(parts);
  await commitEntry(parts, access, {
    key,
    conditions: { ifMatch: undefined, ifNoneMatch: undefined },
    eventName: 'ObjectCreated:Put',
    cause: causeOfService(parts, loggingService),
    entry: {
      ...plainSummary,
      ...plainAttributes,
      ...lockOfNew(new Map(), configuration, wallMs),
      isNull: versioningOf(configuration) !== 'enabled',
      sizeBytes,
      etag,
      wallMs,
      checksum: undefined,
      headers: [{ name: 'content-type', value: 'text/plain' }],
      metadata: [],
      tags: [],
      encryption: cipher?.encryption,
      uploadId: undefined,
      partCount: 0,
      content: contentOf(stored, sizeBytes),
    },
  });
  const countOf = (list: readonly Source[]): number =>
    list.reduce((count, { records }) => count + records.length, 0);
  return { refusedCount: countOf(sources) - countOf(included) };
}
