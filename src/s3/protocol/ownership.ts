// Who owns what is put into a bucket, and what of public access is blocked there.

import type { BucketConfiguration } from '../index/bucket-documents.ts';
import { S3Error } from './errors.ts';
import { childrenOf, childText, element, parseXml, textElement, xmlDocument } from './xml.ts';
import { checkDocumentShape, text } from './xml-shape.ts';

export const ownerships = ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'] as const;
export type Ownership = (typeof ownerships)[number];

/** What the header `x-amz-object-ownership` or the document says. Throws `InvalidArgument`. */
export function parseOwnershipName(name: string): Ownership {
  const found = ownerships.find((each) => each === name);
  if (found === undefined)
    throw new S3Error('InvalidArgument', 'Invalid x-amz-object-ownership header');
  return found;
}

export function parseOwnershipControls(body: Uint8Array): Ownership {
  const root = parseXml(body, 'OwnershipControls');
  const [rule, ...others] = childrenOf(root, 'Rule');
  const name = rule === undefined ? undefined : childText(rule, 'ObjectOwnership')?.trim();
  if (name === undefined || others.length > 0) throw new S3Error('MalformedXML');
  const found = ownerships.find((each) => each === name);
  if (found === undefined) throw new S3Error('MalformedXML');
  return found;
}

export function formatOwnershipControls(ownership: Ownership): Uint8Array {
  return xmlDocument(
    'OwnershipControls',
    element('Rule', textElement('ObjectOwnership', ownership)),
  );
}

/** As a client puts them. Throws `MalformedXML`. */
export function checkNewOwnershipControls(body: Uint8Array): void {
  checkDocumentShape(body, 'OwnershipControls', { Rule: { ObjectOwnership: text } });
}

/** Where nothing was said, whoever puts an object owns it and access lists count. */
export function ownershipOf(configuration: BucketConfiguration): Ownership {
  return configuration.parsed('ownership-controls', parseOwnershipControls) ?? 'ObjectWriter';
}

export interface PublicAccessBlock {
  readonly blockPublicAcls: boolean;
  readonly ignorePublicAcls: boolean;
  readonly blockPublicPolicy: boolean;
  readonly restrictPublicBuckets: boolean;
}

const fields = [
  ['blockPublicAcls', 'BlockPublicAcls'],
  ['ignorePublicAcls', 'IgnorePublicAcls'],
  ['blockPublicPolicy', 'BlockPublicPolicy'],
  ['restrictPublicBuckets', 'RestrictPublicBuckets'],
] as const;

const nothingBlocked: PublicAccessBlock = {
  blockPublicAcls: false,
  ignorePublicAcls: false,
  blockPublicPolicy: false,
  restrictPublicBuckets: false,
};

export function parsePublicAccessBlock(body: Uint8Array): PublicAccessBlock {
  const root = parseXml(body, 'PublicAccessBlockConfiguration');
  const block = { ...nothingBlocked };
  for (const [field, name] of fields) {
    const value = childText(root, name)?.trim().toLowerCase();
    if (value !== undefined && value !== 'true' && value !== 'false')
      throw new S3Error('MalformedXML');
    block[field] = value === 'true';
  }
  return block;
}

/** As a client puts it. Throws `MalformedXML`. */
export function checkNewPublicAccessBlock(body: Uint8Array): void {
  const shape = Object.fromEntries(fields.map(([, name]) => [name, text]));
  checkDocumentShape(body, 'PublicAccessBlockConfiguration', shape);
}

export function formatPublicAccessBlock(block: PublicAccessBlock): Uint8Array {
  return xmlDocument(
    'PublicAccessBlockConfiguration',
    ...fields.map(([field, name]) => textElement(name, block[field])),
  );
}

export function publicAccessBlockOf(configuration: BucketConfiguration): PublicAccessBlock {
  return configuration.parsed('public-access-block', parsePublicAccessBlock) ?? nothingBlocked;
}
