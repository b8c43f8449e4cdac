// Quotas of a bucket and of a user, in objects and in bytes, set by who runs the service: what is let in, what is not, and that
// what was refused left nothing behind. In some sequences the quota is a bucket's, in others a user's; there nothing is
// replaced or removed, since Holdfast looks at all of an owner's buckets every ten seconds only.
//
// Sizes are multiples of 4 KiB, to which radosgw rounds each object.

import { type Draw, type Family, type Sequence, type StepDraft, takeAway } from '../sequence.ts';
import type { QuotaOrder, Step } from '../side.ts';
import { listAll, uploadsOf } from './draws.ts';

/** Where something is replaced or removed. */
const keys: readonly string[] = ['source'];

const counts = new WeakMap<Sequence, number>();

/** Where nothing is yet: Holdfast counts what replaces an object as added until its next look. */
function newObject(s: Sequence): string {
  const count = (counts.get(s) ?? 0) + 1;
  counts.set(s, count);
  return `${s.bucket()}/k${count}`;
}

/** A bucket is looked at every two seconds, and a gateway goes by a quota two seconds after it was set. */
const seenMs = 2200;

const kib = 1024;

/** What a sequence is about. */
interface Plan {
  readonly kind: QuotaOrder['kind'];
  readonly who: QuotaOrder['owner'];
  readonly hasUploads: boolean;
}

const plans = new WeakMap<Sequence, Plan>();

function planOf(s: Sequence): Plan {
  const known = plans.get(s) ?? newPlan(s.c.percent(40) ? 'user' : 'bucket', s.c.percent(50));
  plans.set(s, known);
  return known;
}

/** What radosgw remembers of a user whose quota it looked at goes wrong with uploads in parts: that user makes none. */
function newPlan(kind: Plan['kind'], wantsUploads: boolean): Plan {
  return {
    kind,
    who: kind === 'user' ? 'main' : 'alt',
    hasUploads: wantsUploads && kind === 'bucket',
  };
}

/** The same, by whose it all is. */
function byOwner(draw: Draw): Draw {
  return (s) => ({ ...draw(s), who: planOf(s).who });
}

function order(s: Sequence, limits: Pick<QuotaOrder, 'bytes' | 'objects'>): StepDraft {
  const { kind, who } = planOf(s);
  const name = kind === 'user' ? who : s.buckets[0];
  const quota: QuotaOrder = { kind, name, owner: who, ...limits };
  return { action: 'SetQuota', method: 'PUT', path: `/${s.buckets[0]}`, quota, pauseMs: seenMs };
}

const setQuota: Draw = (s) => {
  const { c } = s;
  return order(
    s,
    c.of([
      { objects: c.of([0, 4, 8, 12]) },
      { bytes: c.of([0, 16, 32, 64]) * kib },
      { objects: c.of([6, 9]), bytes: c.of([24, 64]) * kib },
      {},
    ]),
  );
};

const putObject: Draw = (s) => ({
  ...{ action: 'PutObject', method: 'PUT', path: newObject(s) },
  body: s.c.bytes(s.c.of([0, 4, 4, 4, 8, 16, 40]) * kib),
});

const copyObject: Draw = (s) => ({
  ...{ action: 'CopyObject', method: 'PUT', path: newObject(s) },
  headers: {
    'x-amz-copy-source': `${s.bucket()}/source`,
    'x-amz-metadata-directive': 'REPLACE',
  },
});

const deleteObject: Draw = (s) =>
  planOf(s).kind === 'user'
    ? listAll(s)
    : {
        ...{ action: 'DeleteObject', method: 'DELETE', path: `${s.bucket()}/source` },
        ...{ pauseMs: seenMs },
      };

const replaceObject: Draw = (s) =>
  planOf(s).kind === 'user'
    ? listAll(s)
    : {
        ...{ action: 'PutObject', method: 'PUT', path: `${s.bucket()}/source` },
        ...{ body: s.c.bytes(s.c.of([4, 8, 20]) * kib), pauseMs: seenMs },
      };

const uploads = uploadsOf(newObject, (s) => s.c.bytes(s.c.of([4, 8, 40]) * kib));

function ifUploads(draw: Draw): Draw {
  return (s) => (planOf(s).hasUploads ? draw(s) : putObject(s));
}

export const quotas: Family = {
  name: 'quotas',
  keys,
  facts: ({ action }: Step) =>
    action === 'CreateMultipartUpload'
      ? { subject: 'uploads', bucket: undefined, facts: ['upload'] }
      : undefined,
  first: (s) => [
    ...s.buckets.flatMap((bucket): StepDraft[] => [
      { action: 'CreateBucket', method: 'PUT', path: `/${bucket}`, who: planOf(s).who },
      {
        ...{ action: 'PutObject', method: 'PUT', path: `/${bucket}/source` },
        ...{ body: 'x'.repeat(4 * kib), who: planOf(s).who },
      },
    ]),
    order(s, s.c.of([{ objects: 6 }, { bytes: 32 * kib }, { objects: 8, bytes: 48 * kib }])),
  ],
  repair: (s, step) => {
    const draft = takeAway(step);
    return draft === undefined ? undefined : { ...draft, who: planOf(s).who, pauseMs: seenMs };
  },
  last: (s) => [{ ...order(s, {}), pauseMs: 0 }],
  rules: [
    [5, setQuota],
    [50, byOwner(putObject)],
    [10, byOwner(copyObject)],
    [3, byOwner(deleteObject)],
    [2, byOwner(replaceObject)],
    [6, byOwner(listAll)],
    [6, byOwner(ifUploads(uploads.create))],
    [6, byOwner(ifUploads(uploads.put))],
    [6, byOwner(ifUploads(uploads.complete))],
  ],
};
