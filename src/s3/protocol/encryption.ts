// What clients say and are told about server-side encryption: headers of the three kinds, and a bucket's default.

import { createHash } from 'node:crypto';
import type { BucketConfiguration } from '../index/bucket-documents.ts';
import type { Encryption } from '../index/format.ts';
import { parseBase64 } from './base64.ts';
import { S3Error } from './errors.ts';
import type { HeaderMap } from './request.ts';
import {
  childrenOf,
  childText,
  element,
  onlyChild,
  parseXml,
  textElement,
  xmlDocument,
} from './xml.ts';
import { checkShape, text, type XmlShape } from './xml-shape.ts';

const algorithmHeader = 'x-amz-server-side-encryption';
const keyIdHeader = 'x-amz-server-side-encryption-aws-kms-key-id';
const contextHeader = 'x-amz-server-side-encryption-context';
const bucketKeyHeader = 'x-amz-server-side-encryption-bucket-key-enabled';

export const customerKeyPrefix = 'x-amz-server-side-encryption-customer-';
export const copySourceKeyPrefix = 'x-amz-copy-source-server-side-encryption-customer-';

export interface CustomerKey {
  readonly key: Uint8Array;
  /** Base64, as the client sent it. */
  readonly md5: string;
}

/** How an object is to be encrypted. */
export type WantedEncryption =
  | { readonly kind: 'SSE-S3' }
  | {
      readonly kind: 'SSE-KMS';
      /** Undefined: none was named. */
      readonly keyId: string | undefined;
      readonly context: string;
      readonly bucketKey: boolean;
    }
  | { readonly kind: 'SSE-C'; readonly customer: CustomerKey };

function invalid(name: string, words: string): S3Error {
  return new S3Error('InvalidArgument', words, { detail: { ArgumentName: name } });
}

/** The customer's key under one of the two prefixes. Throws when it is named in part. */
export function parseCustomerKey(headers: HeaderMap, prefix: string): CustomerKey | undefined {
  const algorithm = headers.get(`${prefix}algorithm`);
  const key = headers.get(`${prefix}key`);
  const md5 = headers.get(`${prefix}key-md5`);
  if (algorithm === undefined && key === undefined && md5 === undefined) return undefined;
  if (algorithm === undefined)
    throw invalid(
      `${prefix}algorithm`,
      'Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.',
    );
  if (algorithm !== 'AES256')
    throw new S3Error(
      'InvalidEncryptionAlgorithmError',
      'The encryption request you specified is not valid. The valid value is AES256.',
    );
  if (key === undefined || md5 === undefined)
    throw invalid(
      `${prefix}key`,
      'Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.',
    );
  const bytes = parseBase64(key);
  if (bytes?.length !== 32)
    throw invalid(`${prefix}key`, 'The secret key was invalid for the specified algorithm.');
  if (createHash('md5').update(bytes).digest('base64') !== md5)
    throw invalid(
      `${prefix}key-md5`,
      'The calculated MD5 hash of the key did not match the hash that was provided.',
    );
  return { key: bytes, md5 };
}

/** Undefined: the request says nothing. */
export function parseEncryptionHeaders(headers: HeaderMap): WantedEncryption | undefined {
  const customer = parseCustomerKey(headers, customerKeyPrefix);
  const algorithm = headers.get(algorithmHeader);
  const keyId = headers.get(keyIdHeader);
  if (customer !== undefined) {
    if (algorithm !== undefined)
      throw invalid(
        algorithmHeader,
        'Server Side Encryption with Customer provided key is incompatible with the encryption method specified',
      );
    return { kind: 'SSE-C', customer };
  }
  if (algorithm === undefined) {
    if (keyId !== undefined)
      throw invalid(
        algorithmHeader,
        'Server Side Encryption with KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms',
      );
    return undefined;
  }
  if (algorithm === 'AES256') {
    if (keyId !== undefined)
      throw invalid(keyIdHeader, 'A key id can only be named together with aws:kms');
    return { kind: 'SSE-S3' };
  }
  if (algorithm !== 'aws:kms')
    throw invalid(algorithmHeader, 'The encryption method specified is not supported');
  return {
    kind: 'SSE-KMS',
    keyId,
    context: headers.get(contextHeader) ?? '',
    bucketKey: headers.get(bucketKeyHeader)?.toLowerCase() === 'true',
  };
}

/** Keys are named in reads of what the customer encrypted, and nowhere else. */
export function refuseEncryptionHeaders(headers: HeaderMap): void {
  if (headers.has(algorithmHeader) || headers.has(keyIdHeader))
    throw invalid(
      algorithmHeader,
      'The encryption of an object is chosen when it is stored; a request to read it names none',
    );
}

export function encryptionHeaders(
  encryption: Encryption | undefined,
  customer: CustomerKey | undefined,
): [string, string][] {
  if (encryption === undefined) return [];
  switch (encryption.kind) {
    case 'SSE-S3':
      return [[algorithmHeader, 'AES256']];
    case 'SSE-KMS':
      return [
        [algorithmHeader, 'aws:kms'],
        [keyIdHeader, encryption.keyId],
        ...(encryption.bucketKey ? [[bucketKeyHeader, 'true'] as [string, string]] : []),
      ];
    case 'SSE-C':
      return [
        [`${customerKeyPrefix}algorithm`, 'AES256'],
        ...(customer === undefined
          ? []
          : [[`${customerKeyPrefix}key-md5`, customer.md5] as [string, string]]),
      ];
  }
}

export interface DefaultEncryption {
  readonly wanted: Exclude<WantedEncryption, { readonly kind: 'SSE-C' }>;
}

const defaultShape: XmlShape = {
  Rule: {
    ApplyServerSideEncryptionByDefault: { SSEAlgorithm: text, KMSMasterKeyID: text },
    BucketKeyEnabled: text,
    BlockedEncryptionTypes: { 'EncryptionType*': text },
  },
};

/** As a client puts it. Throws `MalformedXML`, and `NotImplemented` for a kind of encryption that is to be blocked. */
export function checkNewDefaultEncryption(body: Uint8Array): void {
  const root = parseXml(body, 'ServerSideEncryptionConfiguration');
  checkShape(root, defaultShape);
  const rule = onlyChild(root, 'Rule');
  const bucketKey = rule && childText(rule, 'BucketKeyEnabled')?.trim().toLowerCase();
  if (bucketKey !== undefined && bucketKey !== 'true' && bucketKey !== 'false')
    throw new S3Error('MalformedXML');
  const blocked = rule && onlyChild(rule, 'BlockedEncryptionTypes');
  if (blocked?.children.some((each) => each.text.trim() !== 'NONE'))
    throw new S3Error('NotImplemented', 'BlockedEncryptionTypes is not implemented');
}

export function parseDefaultEncryption(body: Uint8Array): DefaultEncryption {
  const root = parseXml(body, 'ServerSideEncryptionConfiguration');
  const [rule, ...others] = childrenOf(root, 'Rule');
  const [chosen] = rule === undefined ? [] : childrenOf(rule, 'ApplyServerSideEncryptionByDefault');
  if (rule === undefined || chosen === undefined || others.length > 0)
    throw new S3Error('MalformedXML');
  const algorithm = childText(chosen, 'SSEAlgorithm')?.trim();
  const keyId = childText(chosen, 'KMSMasterKeyID')?.trim();
  const bucketKey = childText(rule, 'BucketKeyEnabled')?.trim().toLowerCase() === 'true';
  if (algorithm === 'AES256') {
    if (keyId !== undefined)
      throw new S3Error(
        'InvalidArgument',
        'a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms',
      );
    return { wanted: { kind: 'SSE-S3' } };
  }
  if (algorithm !== 'aws:kms') throw new S3Error('MalformedXML');
  return { wanted: { kind: 'SSE-KMS', keyId, context: '', bucketKey } };
}

export function formatDefaultEncryption({ wanted }: DefaultEncryption): Uint8Array {
  const isKms = wanted.kind === 'SSE-KMS';
  return xmlDocument(
    'ServerSideEncryptionConfiguration',
    element(
      'Rule',
      element(
        'ApplyServerSideEncryptionByDefault',
        textElement('SSEAlgorithm', isKms ? 'aws:kms' : 'AES256'),
        textElement('KMSMasterKeyID', isKms ? wanted.keyId : undefined),
      ),
      textElement('BucketKeyEnabled', isKms && wanted.bucketKey),
    ),
  );
}

export function defaultEncryptionOf(
  configuration: BucketConfiguration,
): WantedEncryption | undefined {
  return configuration.parsed('encryption', parseDefaultEncryption)?.wanted;
}
