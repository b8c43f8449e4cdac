// What an object remembers of the headers it was stored with: content headers, user metadata, tags.

import { S3Error } from './errors.ts';
import {
  metadataBytesMax,
  redirectBytesMax,
  tagKeyCharactersMax,
  tagsMax,
  tagValueCharactersMax,
} from './limits.ts';
import { type HeaderMap, parseQuery } from './request.ts';
import {
  childrenOf,
  childText,
  element,
  only,
  onlyChild,
  textElement,
  type XmlNode,
} from './xml.ts';
import { checkShape, text } from './xml-shape.ts';

/** Ordered, names in lower case. */
export type NamedValues = readonly { readonly name: string; readonly value: string }[];

const contentHeaderNames = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
] as const;

/** What S3 serves when a client names no type. */
export const defaultContentType = 'binary/octet-stream';

/** `aws-chunked` describes the transfer, not the object. */
function storedEncoding(value: string): string {
  if (!/aws-chunked/i.test(value)) return value;
  return value
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '' && token.toLowerCase() !== 'aws-chunked')
    .join(', ');
}

export function collectContentHeaders(headers: HeaderMap): NamedValues {
  const collected: { name: string; value: string }[] = [];
  for (const name of contentHeaderNames) {
    const sent = headers.get(name);
    if (sent === undefined) continue;
    const value = name === 'content-encoding' ? storedEncoding(sent) : sent;
    if (value !== '') collected.push({ name, value });
  }
  return collected;
}

export const redirectHeader = 'x-amz-website-redirect-location';

/** Where a website sends who asks for the object. Throws `InvalidRedirectLocation`. */
export function parseRedirect(headers: HeaderMap): string | undefined {
  const location = headers.get(redirectHeader);
  if (location === undefined) return undefined;
  if (!/^(\/|https?:\/\/)/.test(location)) throw new S3Error('InvalidRedirectLocation');
  if (location.length > redirectBytesMax)
    throw new S3Error(
      'InvalidRedirectLocation',
      `The length of website redirect location cannot exceed ${redirectBytesMax} characters.`,
    );
  return location;
}

const metadataPrefix = 'x-amz-meta-';

/** Names without the prefix. Throws `MetadataTooLarge`. */
export function collectMetadata(headers: HeaderMap): NamedValues {
  const collected: { name: string; value: string }[] = [];
  let bytes = 0;
  for (const [header, value] of headers) {
    if (!header.startsWith(metadataPrefix)) continue;
    const name = header.slice(metadataPrefix.length);
    bytes += name.length + value.length;
    collected.push({ name, value });
  }
  if (bytes > metadataBytesMax)
    throw new S3Error('MetadataTooLarge', undefined, {
      detail: { Size: String(bytes), MaxSizeAllowed: String(metadataBytesMax) },
    });
  return collected;
}

export function metadataHeader(name: string): string {
  return metadataPrefix + name;
}

function checkTags(tags: NamedValues, max: number): NamedValues {
  if (tags.length > max) throw new S3Error('InvalidTag', `Tags cannot be greater than ${max}`);
  const names = new Set<string>();
  for (const { name, value } of tags) {
    if (name === '' || name.length > tagKeyCharactersMax)
      throw new S3Error('InvalidTag', 'The TagKey you have provided is invalid');
    if (value.length > tagValueCharactersMax)
      throw new S3Error('InvalidTag', 'The TagValue you have provided is invalid');
    if (names.has(name))
      throw new S3Error('InvalidTag', 'Cannot provide multiple Tags with the same key');
    names.add(name);
  }
  return tags;
}

/** The `x-amz-tagging` header: tags as a URL's query. */
export function parseTaggingHeader(header: string | undefined): NamedValues {
  if (header === undefined || header === '') return [];
  return checkTags(
    [...parseQuery(header)].map(([name, value]) => ({ name, value })),
    tagsMax,
  );
}

/** `max` tags: of an object unless said otherwise. */
export function parseTaggingXml(root: XmlNode, max: number = tagsMax): NamedValues {
  const set = onlyChild(root, 'TagSet');
  if (set === undefined) throw new S3Error('MalformedXML');
  only(root, ['TagSet']);
  return parseTags(set, max);
}

/** Of an element with nothing but tags in it. Throws `MalformedXML`, `InvalidTag`. */
export function parseTags(set: XmlNode, max: number): NamedValues {
  checkShape(set, { 'Tag*': { Key: text, Value: text } });
  return checkTags(
    childrenOf(set, 'Tag').map((tag) => {
      const name = childText(tag, 'Key');
      const value = childText(tag, 'Value');
      if (name === undefined || value === undefined) throw new S3Error('MalformedXML');
      return { name, value };
    }),
    max,
  );
}

/** In the order of their names. */
export function formatTagSet(tags: NamedValues): string {
  const sorted = [...tags].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return element(
    'TagSet',
    ...sorted.map(({ name, value }) =>
      element('Tag', textElement('Key', name), textElement('Value', value)),
    ),
  );
}
