// A record of one request as S3's server access logs have it: 26 fields in a line, a space between them, `-` for what is
// not known. What clients choose (keys, URI, headers) is encoded so that it can't end a field or a line.
//
//   BucketOwner Bucket [Time] RemoteIP Requester RequestID Operation Key "RequestURI" HTTPStatus ErrorCode BytesSent
//   ObjectSize TotalTime TurnAroundTime "Referer" "UserAgent" VersionId HostId SignatureVersion CipherSuite
//   AuthenticationType HostHeader TLSVersion AccessPointARN ACLRequired
//
// Secrets stay out: signatures and tokens in a URI, wherever it came from, are `REDACTED`.

import { formatIsoDate, formatLogDate } from './dates.ts';
import { decodePercent, encodePercent } from './percent.ts';

export interface AccessRecord {
  readonly bucketOwner: string;
  readonly bucket: string;
  /** When the request came. */
  readonly wallMs: number;
  readonly remoteIp: string;
  readonly requester: string | undefined;
  readonly requestId: string;
  readonly operation: string;
  readonly key: string | undefined;
  readonly method: string;
  /** As sent. */
  readonly target: string;
  readonly status: number;
  readonly errorCode: string | undefined;
  readonly bytesSent: number;
  readonly objectBytes: number | undefined;
  readonly totalMs: number;
  readonly turnAroundMs: number | undefined;
  readonly referer: string | undefined;
  readonly userAgent: string | undefined;
  readonly versionId: string | undefined;
  readonly hostId: string;
  readonly signatureVersion: 'SigV2' | 'SigV4' | undefined;
  readonly authentication: 'AuthHeader' | 'QueryString' | undefined;
  readonly hostHeader: string | undefined;
  readonly aclRequired: boolean;
}

/** Longer ones are cut: one request may not fill what a gateway keeps of all of them. */
const uriCharactersMax = 4096;
const headerCharactersMax = 1024;

const secretParameters = new Set(['x-amz-signature', 'x-amz-security-token', 'signature']);

/** Names are compared as the gateway would decode them, values replaced whole. */
export function redactUri(uri: string): string {
  const question = uri.indexOf('?');
  if (question < 0) return uri;
  const pairs = uri.slice(question + 1).split('&');
  const shown = pairs.map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 0) return pair;
    const name = pair.slice(0, equals);
    const decoded = decodePercent(name, 'is-space') ?? name;
    return secretParameters.has(decoded.toLowerCase()) ? `${name}=REDACTED` : pair;
  });
  return `${uri.slice(0, question)}?${shown.join('&')}`;
}

/** Inside quotes; one character a byte. */
function quoted(text: string | undefined, charactersMax: number): string {
  if (text === undefined || text === '') return '"-"';
  const safe = text
    .slice(0, charactersMax)
    .replace(/[^ !#-[\]-~]/g, (each) => encodeByte(each.charCodeAt(0)));
  return `"${safe}"`;
}

function encodeByte(code: number): string {
  return `%${(code & 0xff).toString(16).toUpperCase().padStart(2, '0')}`;
}

function word(text: string | undefined): string {
  return text === undefined || text === '' ? '-' : encodePercent(text, 'kept');
}

/** Names of hosts, addresses and the like, which have colons. */
function plain(text: string | undefined): string {
  return text === undefined || text === ''
    ? '-'
    : text.slice(0, headerCharactersMax).replace(/[^A-Za-z0-9\-._~:/@*+=,]/g, '_');
}

/** One line, with its end. */
export function formatAccessRecord(record: AccessRecord): string {
  const fields: readonly (string | number)[] = [
    word(record.bucketOwner),
    word(record.bucket),
    `[${formatLogDate(record.wallMs)}]`,
    plain(record.remoteIp),
    plain(record.requester),
    record.requestId,
    record.operation,
    word(record.key),
    quoted(`${record.method} ${redactUri(record.target)} HTTP/1.1`, uriCharactersMax),
    record.status,
    record.errorCode ?? '-',
    record.bytesSent === 0 ? '-' : record.bytesSent,
    record.objectBytes ?? '-',
    Math.floor(record.totalMs),
    record.turnAroundMs === undefined ? '-' : Math.floor(record.turnAroundMs),
    quoted(record.referer && redactUri(record.referer), headerCharactersMax),
    quoted(record.userAgent, headerCharactersMax),
    word(record.versionId),
    record.hostId,
    record.signatureVersion ?? '-',
    '-',
    record.authentication ?? '-',
    plain(record.hostHeader),
    '-',
    '-',
    record.aclRequired ? 'Yes' : '-',
  ];
  return `${fields.join(' ')}\n`;
}

/** Subresources whose name in logs is another one than their own in capitals. */
const bucketResources: Readonly<Record<string, string>> = {
  logging: 'LOGGING_STATUS',
  policy: 'BUCKETPOLICY',
  versions: 'BUCKETVERSIONS',
  delete: 'DELETE_MULTI_OBJECT',
};

/** `REST.GET.OBJECT` and the like, as AWS names them, or else as radosgw does. */
export function operationName(
  method: string,
  subresource: string | undefined,
  about: 'bucket' | 'object',
): string {
  return `REST.${/^[A-Z]{1,10}$/.test(method) ? method : '-'}.${resourceName(method, subresource, about)}`;
}

function resourceName(
  method: string,
  subresource: string | undefined,
  about: 'bucket' | 'object',
): string {
  if (method === 'OPTIONS') return 'PREFLIGHT';
  // A form posted to a bucket makes an object.
  if (subresource === undefined)
    return about === 'bucket' && method !== 'POST' ? 'BUCKET' : 'OBJECT';
  if (subresource === 'uploadId') return method === 'PUT' ? 'PART' : 'UPLOAD';
  if (subresource === 'tagging' && about === 'object') return 'OBJECT_TAGGING';
  const named = about === 'bucket' ? bucketResources[subresource] : undefined;
  return named ?? subresource.toUpperCase().replaceAll('-', '_');
}

/** `2026-01-02-03-04-05`, as the names of log objects have it. */
export function formatLogTime(ms: number): string {
  return formatIsoDate(ms).slice(0, 19).replace(/[T:]/g, '-');
}
