// A bucket's website: which object a directory is, what is shown instead of an error, and where requests are sent on.
// Read from XML and decided here; who serves it is `website.ts` of the folder above.

import { S3Error } from './errors.ts';
import { encodePercent } from './percent.ts';
import { childText, only, onlyChild, parseXml, type XmlNode } from './xml.ts';

interface Redirect {
  readonly protocol: 'http' | 'https' | undefined;
  readonly hostName: string | undefined;
  /** In place of the whole key. */
  readonly key: string | undefined;
  /** In place of the prefix that the rule goes by. */
  readonly keyPrefix: string | undefined;
  readonly status: number;
}

interface RoutingRule {
  readonly keyPrefix: string;
  /** Undefined: before anything is looked for. */
  readonly errorStatus: number | undefined;
  readonly redirect: Redirect;
}

export interface Website {
  readonly redirectAll: Redirect | undefined;
  /** What a key that ends with a slash is completed with; empty when all is redirected. */
  readonly indexSuffix: string;
  readonly errorKey: string | undefined;
  readonly rules: readonly RoutingRule[];
}

/** S3's own limits. */
const rulesMax = 50;
export const websiteBytesMax = 128 * 1024;

function invalid(words: string): S3Error {
  return new S3Error('InvalidArgument', words);
}

/** What becomes part of a header must not be able to end it, nor to name another place than a host. */
function parseHostName(text: string | undefined): string | undefined {
  if (text !== undefined && !/^[A-Za-z0-9.-]{1,253}(:\d{1,5})?$/.test(text))
    throw invalid('HostName is not a host');
  return text;
}

function parseProtocol(text: string | undefined): Redirect['protocol'] {
  if (text !== undefined && text !== 'http' && text !== 'https')
    throw invalid('Invalid protocol, protocol can be http or https.');
  return text;
}

function parseStatus(text: string | undefined, name: string, pattern: RegExp): number | undefined {
  if (text !== undefined && !pattern.test(text))
    throw invalid(`${name}: ${text.slice(0, 20)} is not possible`);
  return text === undefined ? undefined : Number(text);
}

function parseRedirect(node: XmlNode): Redirect {
  only(node, [
    'HostName',
    'Protocol',
    'ReplaceKeyWith',
    'ReplaceKeyPrefixWith',
    'HttpRedirectCode',
  ]);
  if (node.children.length === 0) throw new S3Error('MalformedXML');
  const key = childText(node, 'ReplaceKeyWith');
  const keyPrefix = childText(node, 'ReplaceKeyPrefixWith');
  if (key !== undefined && keyPrefix !== undefined)
    throw invalid('Only one of ReplaceKeyWith and ReplaceKeyPrefixWith can be given');
  const status = childText(node, 'HttpRedirectCode');
  return {
    protocol: parseProtocol(childText(node, 'Protocol')),
    hostName: parseHostName(childText(node, 'HostName')),
    key,
    keyPrefix,
    status: parseStatus(status, 'HttpRedirectCode', /^30[1-8]$/) ?? 301,
  };
}

function parseRule(node: XmlNode): RoutingRule {
  only(node, ['Condition', 'Redirect']);
  const condition = onlyChild(node, 'Condition');
  const redirect = onlyChild(node, 'Redirect');
  if (redirect === undefined) throw new S3Error('MalformedXML');
  if (condition !== undefined) only(condition, ['KeyPrefixEquals', 'HttpErrorCodeReturnedEquals']);
  const code = condition && childText(condition, 'HttpErrorCodeReturnedEquals');
  return {
    keyPrefix: (condition && childText(condition, 'KeyPrefixEquals')) ?? '',
    errorStatus: parseStatus(code, 'HttpErrorCodeReturnedEquals', /^[45]\d\d$/),
    redirect: parseRedirect(redirect),
  };
}

/** Throws `MalformedXML`, `InvalidArgument`. */
export function parseWebsite(body: Uint8Array): Website {
  if (body.length > websiteBytesMax)
    throw new S3Error('InvalidRequest', 'A website configuration has at most 128 KB');
  const root = parseXml(body, 'WebsiteConfiguration');
  only(root, ['RedirectAllRequestsTo', 'IndexDocument', 'ErrorDocument', 'RoutingRules']);
  const all = onlyChild(root, 'RedirectAllRequestsTo');
  if (all !== undefined) {
    if (root.children.length > 1)
      throw invalid('RedirectAllRequestsTo can not be combined with anything else');
    only(all, ['HostName', 'Protocol']);
    const redirectAll = parseRedirect(all);
    if (redirectAll.hostName === undefined) throw new S3Error('MalformedXML');
    return { redirectAll, indexSuffix: '', errorKey: undefined, rules: [] };
  }
  const index = onlyChild(root, 'IndexDocument');
  const indexSuffix = index && childText(index, 'Suffix');
  if (indexSuffix === undefined) throw invalid('A value for IndexDocument Suffix must be provided');
  if (indexSuffix === '' || indexSuffix.includes('/'))
    throw invalid('The IndexDocument Suffix is not well formed');
  const error = onlyChild(root, 'ErrorDocument');
  const errorKey = error && childText(error, 'Key');
  if (error !== undefined && (errorKey === undefined || errorKey === ''))
    throw new S3Error('MalformedXML');
  const ruleNodes = onlyChild(root, 'RoutingRules')?.children ?? [];
  if (ruleNodes.some(({ name }) => name !== 'RoutingRule')) throw new S3Error('MalformedXML');
  if (ruleNodes.length > rulesMax)
    throw new S3Error('InvalidRequest', `A website has at most ${rulesMax} routing rules`);
  return { redirectAll: undefined, indexSuffix, errorKey, rules: ruleNodes.map(parseRule) };
}

export interface Sent {
  readonly status: number;
  readonly location: string;
}

function sendOn(redirect: Redirect, rulePrefix: string, host: string, key: string): Sent {
  const { protocol = 'http', hostName = host, keyPrefix } = redirect;
  const moved = keyPrefix === undefined ? key : keyPrefix + key.slice(rulePrefix.length);
  const target = encodePercent(redirect.key ?? moved, 'kept');
  return { status: redirect.status, location: `${protocol}://${hostName}/${target}` };
}

/** Where the request is sent, before anything is looked for or, with `errorStatus`, after that came of it. */
export function redirectOf(
  website: Website,
  host: string,
  key: string,
  errorStatus?: number,
): Sent | undefined {
  const { redirectAll, rules } = website;
  if (redirectAll !== undefined) return sendOn(redirectAll, '', host, key);
  const rule = rules.find(
    (each) => each.errorStatus === errorStatus && key.startsWith(each.keyPrefix),
  );
  return rule === undefined ? undefined : sendOn(rule.redirect, rule.keyPrefix, host, key);
}
