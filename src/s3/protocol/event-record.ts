// An event as webhooks are told of it: S3's own record, one in each message.

import { decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import type { QueuedEvent } from '../index/event-format.ts';
import { formatIsoDate } from './dates.ts';
import { encodePercent } from './percent.ts';

/** Of the structure of records; what came to S3 later has a later one. */
function versionOf(name: string): string {
  return /^Object(Created|Removed):/.test(name) ? '2.1' : '2.3';
}

/** As in a form: with `+` for a space. */
function formEncoded(key: string): string {
  return encodePercent(key, 'kept').replaceAll('%20', '+');
}

/** A JSON document. `opaque`: what the topic adds; that and who asks are Ceph's and S3's own. */
export function formatEvent(
  event: QueuedEvent,
  { region, opaque }: { readonly region: string; readonly opaque: string },
): Uint8Array {
  const record = {
    eventVersion: versionOf(event.name),
    eventSource: 'aws:s3',
    awsRegion: region,
    eventTime: formatIsoDate(event.wallMs),
    eventName: event.name,
    userIdentity: { principalId: event.principal },
    requestParameters: { sourceIPAddress: event.sourceAddress },
    responseElements: { 'x-amz-request-id': event.requestId, 'x-amz-id-2': event.hostId },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: event.configurationId,
      bucket: {
        name: event.bucket,
        ownerIdentity: { principalId: event.bucketOwner },
        arn: `arn:aws:s3:::${event.bucket}`,
      },
      object: {
        key: formEncoded(decodeUtf8(event.key)),
        size: event.sizeBytes,
        eTag: event.etag,
        versionId: event.versionId,
        sequencer: event.sequencer,
      },
    },
    opaqueData: opaque === '' ? undefined : opaque,
  };
  return encodeUtf8(JSON.stringify({ Records: [record] }));
}
