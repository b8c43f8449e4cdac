// Of the family `request-payment`.

import { badPayments } from '../families/request-payment.ts';
import type { Step } from '../side.ts';
import { apiPage, guide, type KnownDifference, outcome } from './known-difference.ts';

const families = ['request-payment'];

/** Of the bucket: the first is main's, the second alt's. */
function isOwner({ path, who = 'main' }: Step): boolean {
  const bucket = path.split('/')[1] ?? '';
  return bucket.endsWith('-a') ? who === 'main' : bucket.endsWith('-b') && who === 'alt';
}

/** Somebody else pays, or should, for the bucket or for what is copied. */
function isPaid(step: Step): boolean {
  const has = (fact: string): boolean => step.facts?.includes(fact) === true;
  if (has('requester pays') && !isOwner(step)) return true;
  const source = step.headers?.['x-amz-copy-source'];
  return (
    source !== undefined && has('source requester pays') && !isOwner({ ...step, path: source })
  );
}

function saysSo({ headers = {} }: Step): boolean {
  return headers['x-amz-request-payer']?.toLowerCase() === 'requester';
}

const refusedHere = { holdfast: /^(403|AccessDenied|-)$/, statuses: /^403 (?!403)\d+$/ };

export const requestPaymentDifferences: readonly KnownDifference[] = [
  {
    title: 'Nobody in particular is let in where requesters pay',
    families,
    action: /./,
    field: outcome,
    ...refusedHere,
    when: (step) => isPaid(step) && step.who === 'nobody',
    right: 'Holdfast',
    page: guide('RequesterPaysBuckets'),
    quote:
      'If you enable Requester Pays on a general purpose bucket, anonymous access to that bucket is not allowed.',
    why: 'radosgw 16 lets in whom a policy does, or says what is absent.',
  },
  {
    title: 'Who would pay must say so',
    families,
    action: /./,
    field: outcome,
    ...refusedHere,
    when: (step) => isPaid(step) && step.who !== 'nobody' && !saysSo(step),
    right: 'Holdfast',
    page: guide('RequesterPaysBuckets'),
    quote:
      'requesters must show they understand that they will be charged for the request and for the data download.',
    why: 'radosgw 16 does not ask whom a policy lets in, nor before it says what is absent.',
  },
  {
    title: 'Who is to pay is one of two words',
    families,
    action: /^PutBucketRequestPayment$/,
    field: outcome,
    holdfast: /^(400|MalformedXML)$/,
    peer: /^(200|-|InvalidArgument)$/,
    when: ({ body }) => badPayments.includes(String(body)),
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'MalformedXML: The XML that you provided was not well formed or did not validate against our published schema.',
    why: '“Payer … Valid Values: Requester | BucketOwner”. radosgw takes `requester`, too.',
  },
];
