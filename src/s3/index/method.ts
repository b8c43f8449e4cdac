// What the methods of the index are made of: arguments decoded, answers encoded, effects named.

import { compareBytes } from '../../base/bytes.ts';
import { decode } from '../../base/codec.ts';
import type { Method, MethodContext, MethodView, RowEffect } from '../../base/method.ts';
import { keysPerRequestMax } from '../protocol/limits.ts';
import type { Call } from './messages.ts';
import * as messages from './messages.ts';

/** Of any listing, so that a result stays below 4 MiB. */
export const pageLimitMax = keysPerRequestMax + 1;

export interface Answer<R> {
  readonly effects?: readonly RowEffect[];
  readonly result: R;
}

export type Body<A, R> = (
  view: MethodView,
  argument: A,
  context: MethodContext,
) => Promise<Answer<R>>;

export function define<A, R>(
  call: Call<A, R>,
  body: Body<A, NoInfer<R>>,
): readonly [string, Method] {
  return [
    call.name,
    async (view, argument, context) => {
      const answer = await body(view, decode(call.argument, argument), context);
      return {
        effects: answer.effects ?? [],
        result: messages.encodeMessage(call.result, answer.result),
      };
    },
  ];
}

/** What it writes is needed to give space back: a full disk takes it. */
export function reclaiming([name, method]: readonly [string, Method]): readonly [string, Method] {
  return [
    name,
    async (view, argument, context) => ({
      ...(await method(view, argument, context)),
      reclaims: true,
    }),
  ];
}

export function put(key: Uint8Array, value: Uint8Array): RowEffect {
  return { kind: 'put', key, value };
}

export function remove(key: Uint8Array): RowEffect {
  return { kind: 'delete', key };
}

export function later(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compareBytes(a, b) >= 0 ? a : b;
}
