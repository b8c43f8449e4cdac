// Buckets in the admin API: which there are, the shards of their indexes, and splitting them.
//
//   GET    /v1/buckets               [?after=NAME]
//   GET    /v1/buckets/NAME          its shards
//   GET    /v1/buckets-trash         those that were removed and can be brought back
//   POST   /v1/buckets/NAME/remove   {all, acceptLoss}: into the trash; `all`: with everything in it
//   POST   /v1/buckets/NAME/restore  {as}
//   POST   /v1/buckets/NAME/check    {shard, after}: some of the rows of a shard
//   POST   /v1/buckets/NAME/reopen   opens shards again that were lost, empty
//   POST   /v1/buckets/NAME/reshard  {entries}: splits shards of at least so many

import type { BucketControl } from './control.ts';
import { AdminError } from './errors.ts';
import { requireAccepted } from './loss.ts';
import { type Fields, flagField, optionalText, textField, wholeField } from './requests.ts';
import type { BucketCheckView, BucketStatsView, BucketView } from './views.ts';

export async function viewBuckets(
  control: BucketControl,
  rest: readonly string[],
  query: ReadonlyMap<string, string>,
): Promise<{ readonly buckets: readonly BucketView[] } | BucketStatsView> {
  const [name, ...more] = rest;
  if (name === undefined) return { buckets: await control.list(query.get('after') ?? '') };
  if (more.length > 0) throw noPath(rest);
  return statsOf(control, name);
}

export async function postBuckets(
  control: BucketControl,
  rest: readonly string[],
  fields: Fields,
  trashHours: number,
): Promise<
  | BucketCheckView
  | { readonly begun: number }
  | { readonly opened: readonly string[] }
  | RemovedBucket
  | { readonly name: string; readonly bucketId: string }
> {
  const [name = '', command, ...more] = rest;
  switch (more.length === 0 ? command : undefined) {
    case 'check': {
      const shard = textField(fields, 'shard');
      const { shards } = await statsOf(control, name);
      if (!shards.some(({ object }) => object === shard))
        throw new AdminError('not-found', `bucket ${name} has no shard ${shard}`);
      return control.check(shard, optionalText(fields, 'after') ?? '');
    }
    case 'remove':
      return remove(control, name, fields, trashHours);
    case 'restore':
      return restore(control, name, optionalText(fields, 'as'));
    case 'reopen': {
      const opened = await control.reopen(name);
      if (opened === undefined) throw noBucket(name);
      return { opened };
    }
    case 'reshard': {
      const entries = wholeField(fields, 'entries');
      if (entries < 2) throw new AdminError('invalid', 'entries: at least 2: one is not divided');
      const begun = await control.reshard(name, entries);
      if (begun === undefined) throw noBucket(name);
      return { begun };
    }
    default:
      throw noPath(rest);
  }
}

export interface RemovedBucket {
  readonly name: string;
  readonly bucketId: string;
  readonly entries: number;
  readonly sizeBytes: number;
  /** How long it can be brought back. */
  readonly trashHours: number;
}

async function restore(
  control: BucketControl,
  name: string,
  as: string | undefined,
): Promise<{ readonly name: string; readonly bucketId: string }> {
  const restored = await control.restore(name, as);
  switch (restored.kind) {
    case 'restored':
      return { name: restored.name, bucketId: restored.bucketId };
    case 'not-in-trash':
      throw new AdminError('not-found', `no bucket ${name} in the trash`);
    case 'name-taken':
      throw new AdminError(
        'refused',
        `there is another bucket ${as ?? name} by now: give it another name, with --as`,
      );
    case 'bad-name':
      throw new AdminError('invalid', `as: ${as ?? name} is no name for a bucket`);
  }
}

/** What is lost is named with its counts as they are now: who writes to a bucket meanwhile has not been heard. */
async function remove(
  control: BucketControl,
  name: string,
  fields: Fields,
  trashHours: number,
): Promise<RemovedBucket> {
  const { bucketId, owner, entries, sizeBytes } = await statsOf(control, name);
  const holds = `bucket ${name} (${bucketId}) of ${owner} holds ${entries} objects and versions, ${sizeBytes} bytes`;
  if (entries > 0 && !flagField(fields, 'all'))
    throw new AdminError(
      'refused',
      `${holds}: with --force everything in it goes into the trash with it`,
    );
  const when =
    trashHours === 0
      ? 'LOST at once'
      : `LOST when they have been in the trash for ${trashHours} hours`;
  const losses = entries === 0 ? [] : [`${holds}: ${when}, locked ones too`];
  requireAccepted(`removing bucket ${name}`, losses, optionalText(fields, 'acceptLoss'));
  const done = await control.remove({ name, bucketId }, trashHours * 3_600_000);
  if (done === undefined)
    throw new AdminError('refused', `bucket ${name} was removed, or made anew, just now`);
  return { name, bucketId, entries, sizeBytes, trashHours };
}

async function statsOf(control: BucketControl, name: string): Promise<BucketStatsView> {
  const stats = await control.stats(name);
  if (stats === undefined) throw noBucket(name);
  return stats;
}

function noBucket(name: string): AdminError {
  return new AdminError('not-found', `no bucket ${name}`);
}

function noPath(rest: readonly string[]): AdminError {
  return new AdminError('not-found', `no /v1/buckets/${rest.join('/')}`);
}
