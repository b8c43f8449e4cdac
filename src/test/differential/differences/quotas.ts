// Of the family `quotas`. S3 has none: where the two differ, no line decides.

import type { Step } from '../side.ts';
import { type KnownDifference, outcome, type Page } from './known-difference.ts';

const families = ['quotas'];

const page: Page = {
  title: 'Quota management',
  address: 'https://docs.ceph.com/en/pacific/radosgw/admin/#quota-management',
};

const refusedThere = { holdfast: /^(200|-)$/, peer: /^(403|QuotaExceeded)$/ };

function isEmpty({ action, body }: Step): boolean {
  return action === 'PutObject' && (body?.length ?? 0) === 0;
}

export const quotaDifferences: readonly KnownDifference[] = [
  {
    title: 'An object of no bytes is let in where there are too many bytes already',
    families,
    action: /^PutObject$/,
    field: outcome,
    ...refusedThere,
    when: isEmpty,
    right: 'both',
    page,
    why: 'A quota in bytes holds back nobody here who adds none. radosgw refuses everything once the quota is passed, which one that was made smaller can be.',
  },
  {
    title: 'Uploads under way, and their parts, are no objects yet',
    families,
    action: /^(PutObject|CopyObject|UploadPart|CompleteMultipartUpload)$/,
    field: outcome,
    ...refusedThere,
    when: ({ facts }) => facts?.includes('upload') === true,
    right: 'both',
    page,
    why: 'radosgw counts each upload and each part as an object; here their bytes count, and the object when it is complete.',
  },
  {
    title: 'Bytes are counted as they are',
    families,
    action: /^(PutObject|CopyObject|UploadPart)$/,
    field: outcome,
    ...refusedThere,
    when: ({ body }) => (body?.length ?? 0) % 4096 !== 0,
    right: 'both',
    page,
    why: 'radosgw rounds each object up to 4 KiB, so that small ones use up a quota sooner; the sequences have multiples of that.',
  },
];
