// XML documents of every operation that takes one, and what is done to them: elements lost, doubled, moved, renamed,
// wrapped and nested, text replaced, bytes broken.

import type { Choice } from './choice.ts';
import * as values from './values.ts';

export interface Element {
  name: string;
  children: Element[];
  text: string;
}

type Content = Element | string | undefined | readonly Element[];

export function el(name: string, ...content: readonly Content[]): Element {
  const made: Element = { name, children: [], text: '' };
  for (const each of content) {
    if (each === undefined) continue;
    if (typeof each === 'string') made.text += each;
    else if ('name' in each) made.children.push(each);
    else made.children.push(...each);
  }
  return made;
}

/** What of the state of the gateway documents speak of. */
export interface DocumentContext {
  readonly c: Choice;
  readonly owner: string;
  readonly versionIds: readonly string[];
  readonly etags: readonly string[];
}

type Grammar = (context: DocumentContext) => Element;

const tag = ({ c }: DocumentContext): Element =>
  el('Tag', el('Key', values.text(c)), el('Value', values.text(c)));

const grantee = ({ c, owner }: DocumentContext): Element =>
  c.weighted([
    [
      4,
      el(
        'Grantee',
        el('ID', owner),
        c.maybe(50, () => el('DisplayName', values.text(c))),
      ),
    ],
    [
      3,
      el(
        'Grantee',
        el('URI', `http://acs.amazonaws.com/groups/${c.of(['global/AllUsers', 'global/X', ''])}`),
      ),
    ],
    [1, el('Grantee', el('EmailAddress', 'nobody@example.com'))],
    [1, el('Grantee', el('ID', values.text(c)))],
  ]);

const acl: Grammar = (context) => {
  const { c, owner } = context;
  return el(
    'AccessControlPolicy',
    c.maybe(90, () => el('Owner', el('ID', c.percent(85) ? owner : values.text(c)))),
    el(
      'AccessControlList',
      c.many(0, 3, () =>
        el(
          'Grant',
          grantee(context),
          el('Permission', c.of(['READ', 'WRITE', 'READ_ACP', 'WRITE_ACP', 'FULL_CONTROL', 'X'])),
        ),
      ),
    ),
  );
};

const lifecycleRule = (context: DocumentContext): Element => {
  const { c } = context;
  const days = (name: string): Element => el(name, c.percent(80) ? '1' : values.count(c));
  const when = (): Element =>
    c.percent(60)
      ? days('Days')
      : el('Date', c.percent(70) ? '2030-01-01T00:00:00Z' : values.date(c));
  const one = (): readonly Element[] =>
    c.weighted<() => readonly Element[]>([
      [4, () => [el('Prefix', values.text(c))]],
      [2, () => [tag(context)]],
      [1, () => [el('ObjectSizeGreaterThan', values.count(c))]],
      [1, () => [el('ObjectSizeLessThan', values.count(c))]],
    ])();
  const filter = c.percent(60)
    ? el('Filter', one())
    : el('Filter', el('And', c.many(1, 3, one).flat()));
  return el(
    'Rule',
    c.maybe(70, () => el('ID', c.percent(70) ? `rule-${c.below(1000)}` : values.text(c))),
    el('Status', c.percent(90) ? c.of(['Enabled', 'Disabled']) : values.text(c)),
    c.percent(75) ? filter : el('Prefix', values.text(c)),
    c.maybe(60, () =>
      el('Expiration', c.percent(80) ? when() : el('ExpiredObjectDeleteMarker', 'true')),
    ),
    c.maybe(30, () =>
      el(
        'NoncurrentVersionExpiration',
        days('NoncurrentDays'),
        c.maybe(40, () => el('NewerNoncurrentVersions', values.count(c))),
      ),
    ),
    c.maybe(30, () => el('AbortIncompleteMultipartUpload', days('DaysAfterInitiation'))),
    c.maybe(10, () => el('Transition', when(), el('StorageClass', values.text(c)))),
  );
};

const corsRule = ({ c }: DocumentContext): Element =>
  el(
    'CORSRule',
    c.maybe(40, () => el('ID', values.text(c))),
    c.many(0, 2, () => el('AllowedHeader', c.percent(80) ? c.of(['*', 'x-*']) : values.text(c))),
    c.many(1, 3, () =>
      el('AllowedMethod', c.percent(98) ? c.of(['GET', 'PUT', 'POST', 'HEAD', 'DELETE']) : 'X'),
    ),
    c.many(1, 3, () =>
      el('AllowedOrigin', c.percent(92) ? c.of(['*', 'https://*.example.com']) : values.text(c)),
    ),
    c.many(0, 2, () => el('ExposeHeader', c.percent(70) ? 'etag' : values.text(c))),
    c.maybe(40, () => el('MaxAgeSeconds', values.count(c))),
  );

const redirect = ({ c }: DocumentContext): Element =>
  el(
    'Redirect',
    c.maybe(50, () => el('HostName', c.percent(70) ? 'example.com' : values.text(c))),
    c.maybe(40, () => el('Protocol', c.of(['http', 'https', 'gopher']))),
    c.maybe(40, () => el('ReplaceKeyPrefixWith', values.text(c))),
    c.maybe(20, () => el('ReplaceKeyWith', values.text(c))),
    c.maybe(30, () => el('HttpRedirectCode', c.of(['301', '302', '308', '200', '399', 'x']))),
  );

const website: Grammar = (context) => {
  const { c } = context;
  if (c.percent(15))
    return el(
      'WebsiteConfiguration',
      el(
        'RedirectAllRequestsTo',
        el('HostName', values.text(c)),
        c.maybe(50, () => el('Protocol', 'https')),
      ),
    );
  return el(
    'WebsiteConfiguration',
    el('IndexDocument', el('Suffix', c.percent(80) ? c.of(['a', 'index.html']) : values.text(c))),
    c.maybe(50, () => el('ErrorDocument', el('Key', values.key(c)))),
    c.maybe(60, () =>
      el(
        'RoutingRules',
        c.many(1, 3, () =>
          el(
            'RoutingRule',
            c.maybe(70, () =>
              el(
                'Condition',
                c.maybe(70, () => el('KeyPrefixEquals', values.text(c))),
                c.maybe(40, () =>
                  el('HttpErrorCodeReturnedEquals', c.of(['404', '403', '200', 'x'])),
                ),
              ),
            ),
            redirect(context),
          ),
        ),
      ),
    ),
  );
};

const retention: Grammar = ({ c }) =>
  el(
    'Retention',
    el('Mode', c.percent(85) ? 'GOVERNANCE' : c.of(['COMPLIANCE', 'governance', ''])),
    el('RetainUntilDate', c.percent(60) ? '2030-01-01T00:00:00Z' : values.date(c)),
  );

const objectLock: Grammar = ({ c }) =>
  el(
    'ObjectLockConfiguration',
    el('ObjectLockEnabled', c.percent(90) ? 'Enabled' : values.text(c)),
    c.maybe(60, () =>
      el(
        'Rule',
        el(
          'DefaultRetention',
          el('Mode', c.of(['GOVERNANCE', 'COMPLIANCE', 'X'])),
          c.percent(70) ? el('Days', values.count(c)) : el('Years', values.count(c)),
        ),
      ),
    ),
  );

const logging: Grammar = ({ c }) =>
  el(
    'BucketLoggingStatus',
    c.maybe(75, () =>
      el(
        'LoggingEnabled',
        el('TargetBucket', c.percent(90) ? 'logs' : values.bucket(c)),
        el('TargetPrefix', values.text(c)),
        c.maybe(40, () =>
          el(
            'TargetObjectKeyFormat',
            c.percent(50)
              ? el('SimplePrefix')
              : el(
                  'PartitionedPrefix',
                  el('PartitionDateSource', c.of(['EventTime', 'DeliveryTime', 'x'])),
                ),
          ),
        ),
        c.maybe(20, () => el('ObjectRollTime', values.count(c))),
      ),
    ),
  );

const notification: Grammar = ({ c }) =>
  el(
    'NotificationConfiguration',
    c.many(0, 3, (): Element => {
      const rule = (): Element =>
        el('FilterRule', el('Name', c.of(['prefix', 'Suffix', 'x'])), el('Value', values.text(c)));
      return el(
        c.percent(95) ? 'TopicConfiguration' : c.of(['QueueConfiguration', 'X']),
        c.maybe(70, () => el('Id', c.of(['a', 'b', values.text(c)]))),
        el('Topic', values.topicArn(c)),
        c.many(1, 3, () => el('Event', c.of(events))),
        c.maybe(30, () => el('Filter', el('S3Key', c.many(0, 2, rule)))),
      );
    }),
  );

const events = [
  ...['s3:ObjectCreated:*', 's3:ObjectCreated:Put', 's3:ObjectRemoved:*', 's3:ObjectTagging:*'],
  ...['s3:ObjectAcl:Put', 's3:LifecycleExpiration:*', 's3:ObjectRestore:*', 's3:X'],
];

const objects: Grammar = ({ c, versionIds, etags }) =>
  el(
    'Delete',
    c.maybe(30, () => el('Quiet', c.of(['true', 'false', 'x']))),
    c.many(1, 8, () =>
      el(
        'Object',
        el('Key', values.key(c)),
        c.maybe(25, () =>
          el('VersionId', versionIds.length > 0 && c.percent(70) ? c.of(versionIds) : 'null'),
        ),
        c.maybe(10, () => el('ETag', values.etag(c, etags))),
        c.maybe(5, () => el('Size', values.count(c))),
        c.maybe(5, () => el('LastModifiedTime', values.date(c))),
      ),
    ),
  );

/** By root element. */
export const grammars: Readonly<Record<string, Grammar>> = {
  AccessControlPolicy: acl,
  BucketLoggingStatus: logging,
  CORSConfiguration: (context) =>
    el(
      'CORSConfiguration',
      context.c.many(1, 3, () => corsRule(context)),
    ),
  CreateBucketConfiguration: ({ c }) =>
    el('CreateBucketConfiguration', el('LocationConstraint', c.of(['', 'us-east-1', 'moon']))),
  Delete: objects,
  LegalHold: ({ c }) => el('LegalHold', el('Status', c.of(['ON', 'OFF', 'OFF', 'x', '']))),
  LifecycleConfiguration: (context) =>
    el(
      'LifecycleConfiguration',
      context.c.many(1, 4, () => lifecycleRule(context)),
    ),
  NotificationConfiguration: notification,
  ObjectLockConfiguration: objectLock,
  OwnershipControls: ({ c }) =>
    el(
      'OwnershipControls',
      el(
        'Rule',
        el(
          'ObjectOwnership',
          c.of([
            'ObjectWriter',
            'BucketOwnerPreferred',
            'BucketOwnerEnforced',
            'ObjectWriter',
            'X',
          ]),
        ),
      ),
    ),
  PublicAccessBlockConfiguration: ({ c }) =>
    el(
      'PublicAccessBlockConfiguration',
      ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'].flatMap(
        (name) => (c.percent(30) ? [el(name, c.of(['true', 'false', 'TRUE', 'x']))] : []),
      ),
    ),
  RequestPaymentConfiguration: ({ c }) =>
    el('RequestPaymentConfiguration', el('Payer', c.of(['BucketOwner', 'Requester', 'x']))),
  Retention: retention,
  ServerSideEncryptionConfiguration: ({ c }) =>
    el(
      'ServerSideEncryptionConfiguration',
      el(
        'Rule',
        el(
          'ApplyServerSideEncryptionByDefault',
          el('SSEAlgorithm', c.of(['AES256', 'aws:kms', 'AES256', 'rot13'])),
          c.maybe(30, () => el('KMSMasterKeyID', c.of(['key-1', 'nobody', '']))),
        ),
        c.maybe(30, () => el('BucketKeyEnabled', 'true')),
      ),
    ),
  Tagging: (context) =>
    el(
      'Tagging',
      el(
        'TagSet',
        context.c.many(0, context.c.percent(90) ? 4 : 60, () => tag(context)),
      ),
    ),
  VersioningConfiguration: ({ c }) =>
    el(
      'VersioningConfiguration',
      el('Status', c.of(['Enabled', 'Suspended', 'Enabled', 'enabled', ''])),
      c.maybe(5, () => el('MfaDelete', c.of(['Enabled', 'Disabled', 'x']))),
    ),
  WebsiteConfiguration: website,
};

function every(root: Element): Element[] {
  return [root, ...root.children.flatMap(every)];
}

/** One change, anywhere in it. */
function spoil(c: Choice, root: Element): void {
  const all = every(root);
  const parent = c.of(all);
  const child = parent.children.length > 0 ? c.below(parent.children.length) : -1;
  const victim = parent.children[child];
  switch (c.below(8)) {
    case 0:
      if (victim !== undefined) parent.children.splice(child, 1);
      return;
    case 1:
      if (victim !== undefined) parent.children.push(structuredClone(victim));
      return;
    case 2:
      parent.name = c.of([c.of(all).name, 'X', 'x'.repeat(200), 'constructor', '__proto__']);
      return;
    case 3:
      parent.text = values.text(c);
      return;
    case 4:
      parent.text = c.percent(50) ? values.count(c) : values.date(c);
      return;
    case 5:
      parent.children.push(structuredClone(c.of(all)));
      return;
    case 6:
      if (victim !== undefined)
        parent.children.push(...c.many(1, c.of([3, 60, 1100]), () => structuredClone(victim)));
      return;
    default: {
      let nested = el('Deep');
      for (let depth = c.of([3, 25, 200]); depth > 0; depth--) nested = el('Deep', nested);
      parent.children.push(nested);
    }
  }
}

/** What XML can't carry goes as it is: it is for the parser to refuse. */
function escapeText(c: Choice, raw: string): string {
  const escaped = raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  if (raw === '' || !c.spoils(5)) return escaped;
  const point = raw.codePointAt(0) ?? 0;
  return c.of([
    `<![CDATA[${raw}]]>`,
    `&#${point};${escaped}`,
    `&#x${point.toString(16)};`,
    raw,
    `&unknown;${escaped}`,
    `<!-- ${escaped} -->${escaped}`,
  ]);
}

/** Every branch that a clone of a clone may have grown ends here. */
const documentCharactersMax = 200_000;

function format(c: Choice, { name, children, text }: Element, prefix: string): string {
  let out = `<${prefix}${name}${c.spoils(2) ? ' a="b" xmlns:q="urn:q"' : ''}>`;
  if (children.length === 0) out += escapeText(c, text);
  for (const child of children) {
    if (c.spoils(2)) out += c.of(['\n  ', '<!-- c -->', '<?pi x?>', 'text']);
    if (out.length < documentCharactersMax) out += format(c, child, prefix);
  }
  return `${out}</${prefix}${name}>`;
}

function spoilBytes(c: Choice, bytes: Uint8Array): Uint8Array {
  const at = c.below(Math.max(1, bytes.length));
  switch (c.below(4)) {
    case 0:
      return bytes.subarray(0, at);
    case 1: {
      const flipped = bytes.slice();
      flipped[at] = c.below(256);
      return flipped;
    }
    case 2:
      return Uint8Array.of(...bytes.subarray(0, 2000), ...c.bytes(c.below(20)));
    default:
      return new Uint8Array(0);
  }
}

const openings: readonly string[] = [
  '<?xml version="1.0" encoding="UTF-8"?>\n',
  '<?xml version="1.0" encoding="UTF-16"?>',
  '\ufeff',
  '\n\n  ',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
  '<?xml-stylesheet href="x"?>',
  'text',
];

/** Most as their grammar has them. */
export function xmlBody(root: string, context: DocumentContext): Uint8Array {
  const { c } = context;
  const grammar = grammars[root];
  const document = grammar === undefined ? el(root) : grammar(context);
  return encodeXml(c, document);
}

export function encodeXml(c: Choice, document: Element): Uint8Array {
  if (c.spoils(20)) for (let times = c.between(1, 3); times > 0; times--) spoil(c, document);
  const prefix = c.spoils(3) ? 'q:' : '';
  const opening = c.percent(50) ? '' : c.spoils(20) ? c.of(openings) : openings[0];
  const body = format(c, document, prefix);
  const text = `${opening}${body}${c.spoils(2) ? c.of(['<b/>', '\n', 'x', '\u0000']) : ''}`;
  const bytes = new TextEncoder().encode(text);
  return c.spoils(5) ? spoilBytes(c, bytes) : bytes;
}
