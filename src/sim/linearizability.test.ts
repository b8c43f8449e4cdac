import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { isLinearizable, type Operation } from './linearizability.ts';
import { type RegisterCall, registerModel } from './workload.ts';

function swap(
  calledAt: number,
  answeredAt: number | undefined,
  value: string,
  before: string | undefined,
): Operation<RegisterCall> {
  return { call: { kind: 'swap', value, before }, calledAt, answeredAt };
}

function read(calledAt: number, answeredAt: number, value: string): Operation<RegisterCall> {
  return { call: { kind: 'read', value }, calledAt, answeredAt };
}

const table: readonly (readonly [string, readonly Operation<RegisterCall>[], 'yes' | 'no'])[] = [
  ['one after the other', [swap(0, 1, 'a', ''), read(2, 3, 'a')], 'yes'],
  ['a stale read', [swap(0, 1, 'a', ''), swap(2, 3, 'b', 'a'), read(4, 5, 'a')], 'no'],
  [
    'overlapping swaps in either order',
    [swap(0, 5, 'a', 'b'), swap(1, 4, 'b', ''), read(6, 7, 'a')],
    'yes',
  ],
  ['a swap done twice', [swap(0, 1, 'a', ''), swap(2, 3, 'b', 'a'), swap(4, 5, 'c', 'a')], 'no'],
  [
    'an unknown outcome that happened',
    [swap(0, undefined, 'a', undefined), read(2, 3, 'a')],
    'yes',
  ],
  [
    'an unknown outcome that did not happen',
    [swap(0, undefined, 'a', undefined), read(2, 3, '')],
    'yes',
  ],
  [
    'a value that vanishes after it was read',
    [swap(0, undefined, 'a', undefined), read(2, 3, 'a'), read(4, 5, '')],
    'no',
  ],
  ['a lost acknowledged write', [swap(0, 1, 'a', ''), read(2, 3, '')], 'no'],
];

for (const [name, history, expected] of table)
  test(`linearizability: ${name}`, () =>
    equal(isLinearizable(history, '', registerModel), expected));
