// Buckets in the admin API: which there are, the shards of their indexes, and splitting them.
//
//   GET    /v1/buckets               [?after=NAME]
//   GET    /v1/buckets/NAME          its shards
//   POST   /v1/buckets/NAME/check    {shard, after}: some of the rows of a shard
//   POST   /v1/buckets/NAME/reopen   opens shards again that were lost, empty
//   POST   /v1/buckets/NAME/reshard  {entries}: splits shards of at least so many

import type { BucketControl } from './control.ts';
import { AdminError } from './errors.ts';
import { type Fields, optionalText, textField, wholeField } from './requests.ts';
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
): Promise<BucketCheckView | { readonly begun: number } | { readonly opened: readonly string[] }> {
  const [name = '', command, ...more] = rest;
  switch (more.length === 0 ? command : undefined) {
    case 'check': {
      const shard = textField(fields, 'shard');
      const { shards } = await statsOf(control, name);
      if (!shards.some(({ object }) => object === shard))
        throw new AdminError('not-found', `bucket ${name} has no shard ${shard}`);
      return control.check(shard, optionalText(fields, 'after') ?? '');
    }
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
