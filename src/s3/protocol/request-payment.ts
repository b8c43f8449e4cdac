// Who pays for what is asked of a bucket. Nothing is charged here; what S3 asks of requests to a bucket whose requesters pay
// is asked all the same, so that nobody but its owner meets it unawares.

import type { BucketConfiguration } from '../index/bucket-documents.ts';
import { S3Error } from './errors.ts';
import { childText, parseXml, textElement, xmlDocument } from './xml.ts';
import { checkShape, text } from './xml-shape.ts';

export type Payer = 'BucketOwner' | 'Requester';

const root = 'RequestPaymentConfiguration';

/** As a client puts it. Throws `MalformedXML`. */
export function parseRequestPayment(body: Uint8Array): Payer {
  const node = parseXml(body, root);
  checkShape(node, { Payer: text });
  const payer = childText(node, 'Payer')?.trim();
  if (payer !== 'BucketOwner' && payer !== 'Requester') throw new S3Error('MalformedXML');
  return payer;
}

/** What is kept, and answered. */
export function formatRequestPayment(payer: Payer): Uint8Array {
  return xmlDocument(root, textElement('Payer', payer));
}

/** What says something that nobody here knows keeps others out. */
function parseKeptPayment(body: Uint8Array): Payer {
  return childText(parseXml(body, root), 'Payer') === 'BucketOwner' ? 'BucketOwner' : 'Requester';
}

export function payerOf(configuration: BucketConfiguration): Payer {
  return configuration.parsed('request-payment', parseKeptPayment) ?? 'BucketOwner';
}
