// What two answers to the same step differ in, field by field. Ids are compared by the names that sequences know them by,
// dates by their being there, owners where they have the names that the test uses, messages not at all.

import { createHash } from 'node:crypto';
import { XMLParser } from 'fast-xml-parser';
import { type Answer, type Side, type Step, unnamed } from './side.ts';
import { Webhooks } from './webhooks.ts';

export interface Difference {
  /** `status`, `code`, `header NAME` or an element's path without positions. */
  readonly field: string;
  readonly holdfast: string;
  readonly peer: string;
  /** Of both answers, `200 404`. */
  readonly statuses: string;
  /** What the other service said beside it. */
  readonly peerHeaders: ReadonlyMap<string, string>;
}

const comparedHeaders: readonly string[] = [
  ...['accept-ranges', 'cache-control', 'content-disposition', 'content-encoding'],
  ...['content-language', 'content-range', 'content-type', 'etag', 'expires', 'last-modified'],
  ...['location', 'x-amz-version-id', 'x-amz-delete-marker', 'x-amz-tagging-count'],
  ...['x-amz-storage-class', 'x-amz-mp-parts-count', 'x-amz-copy-source-version-id'],
  ...['x-amz-website-redirect-location', 'x-amz-expiration', 'access-control-allow-origin'],
  ...['access-control-allow-methods', 'access-control-max-age', 'access-control-allow-headers'],
  ...['access-control-expose-headers', 'x-amz-server-side-encryption'],
  ...['x-amz-server-side-encryption-aws-kms-key-id', 'x-amz-object-lock-mode'],
  ...['x-amz-server-side-encryption-customer-algorithm', 'x-amz-object-lock-legal-hold'],
  ...['x-amz-server-side-encryption-customer-key-md5', 'x-amz-object-lock-retain-until-date'],
];

const showsObject = /^(GetObject|HeadObject|Browse)$/;

/** Of requests and services, not of what they hold. */
const passedOver = /(^|\/)(RequestId|HostId|Message|Resource|BucketName|Key\[-\])$/;

const madeAnew =
  /(^|\/)(AccessKeyId|SecretAccessKey|SessionToken|RoleId|Assumed?RoleId|x-amz-request-id|x-amz-id-2|sequencer)$/;

const parser = new XMLParser({
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: true,
  ignoreDeclaration: true,
  htmlEntities: true,
});

interface NamedElement {
  readonly key?: string;
  readonly value?: unknown;
  readonly Name?: string;
}

function isNamed(element: unknown): element is NamedElement {
  if (typeof element !== 'object' || element === null) return false;
  return ('key' in element && 'value' in element) || ('Name' in element && 'TopicArn' in element);
}

function flatten(value: unknown, path: string, into: Map<string, string>): void {
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries()) flatten(each, `${path}[${index}]`, into);
    return;
  }
  if (typeof value === 'object' && value !== null) {
    for (const [name, each] of Object.entries(value)) {
      // One of many and the only one are the same element.
      const inner = Array.isArray(each) ? [...each] : [each];
      // Of pairs and topics no order is promised: they go by their names.
      if (inner.every(isNamed)) {
        for (const one of inner)
          flatten(one.value ?? one, `${path}/${name}(${one.key ?? one.Name})`, into);
        continue;
      }
      // Of grants no order is promised.
      if (name === 'Grant') inner.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
      for (const [index, one] of inner.entries()) flatten(one, `${path}/${name}[${index}]`, into);
    }
    return;
  }
  into.set(path, String(value));
}

function normalValue(field: string, value: string, side: Side): string {
  // A default counts from when each of them got the request; what clients say is days apart.
  if (/retain-?until-?date$/i.test(field)) return `DAY ${value.slice(0, 10)}`;
  if (field === 'location')
    return value.replace(side.url.host, 'HOST').replace(side.websiteName ?? '-', 'WEBSITES');
  // What is made for one answer says nothing but that it was made; of keys that end, how long they last.
  if (madeAnew.test(field)) return value === '' ? 'EMPTY' : 'GIVEN';
  if (/Credentials\/Expiration$/.test(field))
    return `${Math.round((Date.parse(value) - Date.now()) / 60_000)} minutes`;
  if (/(^|\/)(Topic|TopicArn)$/.test(field)) return side.nameOf(value);
  if (/(^|\/)EndpointAddress$/.test(field)) return value.replace(side.webhook, 'WEBHOOK');
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value)) return 'DATE';
  if (/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/.test(value)) return 'DATE';
  if (/(Owner|Initiator|Grantee)\/(ID|DisplayName)$/.test(field))
    return value === '' ? 'NOBODY' : /^(main|alt)$/.test(value) ? value : 'OWNER';
  if (/\/Location$/.test(field)) return value.replace(/^https?:\/\/[^/]*/, '');
  if (/ContinuationToken$/.test(field)) return 'TOKEN';
  // Anywhere else a key may look like an id: listings of radosgw go on from a key.
  return /version-?id|uploadid/i.test(field) ? side.nameOf(value) : value;
}

function fieldsOf(step: Step, answer: Answer, side: Side): Map<string, string> {
  const fields = new Map([['status', String(answer.status)]]);
  const isError = answer.status >= 300;
  const type = answer.headers.get('content-type') ?? '';
  const isXml =
    (/^(application|text)\/xml/.test(type) ||
      Buffer.from(answer.body).toString('latin1', 0, 5) === '<?xml') &&
    answer.body.length > 0;
  for (const name of comparedHeaders) {
    const value = answer.headers.get(name);
    // Of an answer without a body it says nothing, and all documents are XML.
    if (value === undefined || (name === 'content-type' && !showsObject.test(step.action)))
      continue;
    if (isError && !/^(etag|content-range|x-amz-delete-marker|location)$/.test(name)) continue;
    fields.set(`header ${name}`, normalValue(name, value, side));
  }
  if (step.method === 'HEAD') {
    if (!isError) fields.set('header content-length', answer.headers.get('content-length') ?? '');
    return fields;
  }
  if (isError && type.startsWith('text/html')) {
    fields.set('code', codeOfPage(answer.body));
    return fields;
  }
  if (!isXml || (showsObject.test(step.action) && !isError)) {
    const text = Buffer.from(answer.body);
    if (/Policy$/.test(step.action) && !isError) fields.set('body', JSON.stringify(safeJson(text)));
    else fields.set('body', createHash('sha256').update(text).digest('hex').slice(0, 12));
    return fields;
  }
  const flat = new Map<string, string>();
  flatten(parser.parse(Buffer.from(answer.body).toString()), '', flat);
  for (const [path, value] of flat) {
    const field = path.slice(1).replaceAll('[0]', '');
    if (isError && !/^(ErrorResponse\/)?Error\/Code$/.test(field)) continue;
    if (passedOver.test(field)) continue;
    const name = isError ? 'code' : field;
    fields.set(name, normalValue(withoutPositions(field), value, side));
  }
  return fields;
}

interface EventsOf {
  readonly side: Side;
  readonly told: readonly unknown[];
}

/** One field for which events there were; where they are the same, all that was told of each. */
function eventFields({ side, told }: EventsOf, teller: 'holdfast' | 'peer'): Map<string, string> {
  const fields = new Map([['events', Webhooks.summaryOf(told, teller)]]);
  const flat = new Map<string, string>();
  flatten(told, '', flat);
  for (const [path, value] of flat) {
    const field = path.replaceAll('[0]', '');
    fields.set(`event${field}`, normalValue(withoutPositions(field), value, side));
  }
  return fields;
}

/** What webhooks were told because of a step. */
export function compareEvents(holdfast: EventsOf, peer: EventsOf): Difference[] {
  const ours = eventFields(holdfast, 'holdfast');
  const theirs = eventFields(peer, 'peer');
  const isSame = ours.get('events') === theirs.get('events');
  const fields = isSame ? new Set([...ours.keys(), ...theirs.keys()]) : ['events'];
  return differing(fields, ours, theirs, { statuses: '200 200', peerHeaders: new Map() });
}

/** A page that a service made itself names the code somewhere; one that was put there is compared as it is. */
function codeOfPage(body: Uint8Array): string {
  const text = Buffer.from(body).toString();
  const code = (/<li>Code: (\w+)</.exec(text) ?? /<h1>\d{3} (\w+)</.exec(text))?.[1];
  return code ?? createHash('sha256').update(body).digest('hex').slice(0, 12);
}

function safeJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString());
  } catch {
    return text.toString();
  }
}

function withoutPositions(field: string): string {
  return field.replace(/\[\d+\]/g, '');
}

/** Both sides' own ids are resolved. Of failed requests the status and the code count. */
export function compare(
  step: Step,
  holdfast: { readonly side: Side; readonly answer: Answer },
  peer: { readonly side: Side; readonly answer: Answer },
): Difference[] {
  const ours = fieldsOf(step, holdfast.answer, holdfast.side);
  const theirs = fieldsOf(step, peer.answer, peer.side);
  const statuses = `${holdfast.answer.status} ${peer.answer.status}`;
  // Where the status differs, all else does.
  const fields =
    ours.get('status') === theirs.get('status')
      ? new Set([...ours.keys(), ...theirs.keys()])
      : ['status', 'code'];
  return differing(fields, ours, theirs, { statuses, peerHeaders: peer.answer.headers });
}

function differing(
  fields: Iterable<string>,
  ours: ReadonlyMap<string, string>,
  theirs: ReadonlyMap<string, string>,
  beside: Pick<Difference, 'statuses' | 'peerHeaders'>,
): Difference[] {
  const differences: Difference[] = [];
  for (const field of fields) {
    const [a = '-', b = '-'] = [ours.get(field), theirs.get(field)];
    if (a !== b && a !== unnamed && b !== unnamed)
      differences.push({ field: withoutPositions(field), holdfast: a, peer: b, ...beside });
  }
  return differences;
}
