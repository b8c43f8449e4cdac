// `union` of base/codec.ts, typed so that cases keep their own types.

import { type Carried, type Codec, union } from '../../base/codec.ts';

type Cases = Readonly<Record<string, readonly [tag: number, codec: Codec<unknown>]>>;
type ValueOf<C extends Cases> = {
  [K in keyof C]: { readonly kind: K } & Carried<C[K][1]>;
}[keyof C];

/** Cases are `[tag, codec of the other fields]`; tags are for ever. */
export function closedUnion<const C extends Cases>(cases: C): Codec<ValueOf<C>> {
  return union(cases as never) as unknown as Codec<ValueOf<C>>;
}
