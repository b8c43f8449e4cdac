// Of the family `logging`.

import { api, type KnownDifference, outcome } from './known-difference.ts';

const families = ['logging'];

export const loggingDifferences: readonly KnownDifference[] = [
  {
    title: 'There is bucket logging',
    families,
    action: /^PutBucketLogging$/,
    field: outcome,
    holdfast: /^(200|400|403|404|-|AccessDenied|InvalidArgument|MalformedXML|NoSuchKey)$/,
    peer: /^(405|MethodNotAllowed)$/,
    right: 'Holdfast',
    page: api('PutBucketLogging'),
    quote:
      'Set the logging parameters for a bucket and to specify permissions for who can view and modify the logging parameters.',
    why: 'radosgw 16 refuses the method. What Holdfast wrote of each request was held against the table of fields in [LogFormat](https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html): every one of them as it is there, but for the times and the two ids, which only it knows.',
  },
  {
    title: 'Where a bucket’s log goes is told',
    families,
    action: /^GetBucketLogging$/,
    field: /^(BucketLoggingStatus|header last-modified)/,
    right: 'Holdfast',
    page: api('GetBucketLogging'),
    quote:
      'Returns the logging status of a bucket and the permissions users have to view and modify that status.',
    why: '`Last-Modified` is today’s radosgw’s.',
  },
];
