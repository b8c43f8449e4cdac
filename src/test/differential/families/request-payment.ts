// Buckets whose requesters pay: two users and nobody, who say that they pay, say something else, or say nothing.

import { type Draw, type Family, takeAway } from '../sequence.ts';
import type { Who } from '../side.ts';
import { copyAnew, listAll, ofObject, putSmall } from './draws.ts';

const keys: readonly string[] = ['a', 'b', 'c/1'];

function payment(payer: string): string {
  return `<RequestPaymentConfiguration><Payer>${payer}</Payer></RequestPaymentConfiguration>`;
}

/** That say nothing of who pays. */
export const badPayments: readonly string[] = [
  ...['', '<Other/>', payment(''), payment('requester'), payment('Nobody')],
  '<RequestPaymentConfiguration><Payer>',
];

/** The same, asked by somebody who pays or does not. */
function asPayer(draw: Draw): Draw {
  return (s) => {
    const { c } = s;
    const step = draw(s);
    const who = c.weighted<Who>([
      [25, 'main'],
      [55, 'alt'],
      [20, 'nobody'],
    ]);
    const said = c.percent(55)
      ? c.of(['requester', 'requester', 'requester', 'Requester', 'x'])
      : undefined;
    const headers = {
      ...step.headers,
      ...(said === undefined ? {} : { 'x-amz-request-payer': said }),
    };
    return { ...step, who, headers };
  };
}

const headBucket: Draw = (s) => ({ action: 'HeadBucket', method: 'HEAD', path: s.bucket() });

const deleteObjects: Draw = (s) => ({
  ...{ action: 'DeleteObjects', method: 'POST', path: s.bucket(), query: { delete: '' } },
  body: `<Delete><Object><Key>${s.c.of(keys)}</Key></Object></Delete>`,
});

const paymentOf: Draw = (s) => {
  const { c } = s;
  const isFirst = c.percent(60);
  const owner = isFirst ? 'main' : 'alt';
  const at = { path: `/${s.buckets[isFirst ? 0 : 1]}`, query: { requestPayment: '' } };
  const who = c.percent(88) ? owner : c.of(['main', 'alt', 'nobody'] as const);
  if (c.percent(35)) return { action: 'GetBucketRequestPayment', method: 'GET', ...at, who };
  const body = c.percent(85)
    ? payment(c.of(['Requester', 'Requester', 'BucketOwner']))
    : c.of(badPayments);
  return { action: 'PutBucketRequestPayment', method: 'PUT', ...at, who, body };
};

export const requestPayment: Family = {
  name: 'request-payment',
  keys,
  facts: ({ action, path, body }) =>
    action === 'PutBucketRequestPayment'
      ? {
          ...{ subject: 'payment', bucket: path.split('/')[1] ?? '' },
          facts: String(body).includes('Requester') ? ['requester pays'] : [],
        }
      : undefined,
  first: ({ buckets: [one, other] }) => [
    { action: 'CreateBucket', method: 'PUT', path: `/${one}` },
    { action: 'CreateBucket', method: 'PUT', path: `/${other}`, who: 'alt' },
    ...([one, other] as const).map((bucket) => ({
      ...{ action: 'PutBucketPolicy', method: 'PUT', path: `/${bucket}`, query: { policy: '' } },
      who: bucket === one ? ('main' as const) : ('alt' as const),
      body: JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            ...{ Effect: 'Allow', Principal: '*', Action: ['s3:*Object*', 's3:ListBucket'] },
            Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
          },
        ],
      }),
    })),
    {
      ...{ action: 'PutBucketRequestPayment', method: 'PUT', path: `/${one}` },
      ...{ query: { requestPayment: '' }, body: payment('Requester') },
    },
  ],
  repair: ({ buckets }, step) => {
    const who = step.path.split('/')[1] === buckets[0] ? 'main' : 'alt';
    if (step.action === 'PutBucketRequestPayment')
      return { ...step, who, body: payment('BucketOwner') };
    const draft = takeAway(step);
    return draft === undefined ? undefined : { ...draft, who };
  },
  rules: [
    [16, paymentOf],
    [20, asPayer(putSmall)],
    [20, asPayer(ofObject('GetObject', 'GET'))],
    [6, asPayer(ofObject('HeadObject', 'HEAD'))],
    [10, asPayer(listAll)],
    [5, asPayer(headBucket)],
    [8, asPayer(copyAnew)],
    [8, asPayer(ofObject('DeleteObject', 'DELETE'))],
    [4, asPayer(deleteObjects)],
  ],
};
