import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { formatPgId, type PgId, type PoolId } from '../base/ids.ts';
import type { PgRecord } from '../map/pg-record.ts';
import { RecordTable } from './record-table.ts';

const pg = (index: number): PgId => formatPgId(1 as PoolId, 1, index);

function record(index: number, version = 1): PgRecord {
  return {
    pg: pg(index),
    tenure: 0,
    version,
    primary: undefined,
    nonce: '',
    slots: [],
    target: [],
  };
}

function mapOf(count: number): Map<PgId, PgRecord> {
  return new Map(Array.from({ length: count }, (_, index) => [pg(index), record(index)]));
}

test('a table has what the map has that it was made of, in its order', () => {
  for (const count of [0, 1, 64, 65, 200]) {
    const map = mapOf(count);
    const table = RecordTable.of(map);
    equal(table.size, count);
    deepEqual([...table], [...map]);
    deepEqual([...table.keys()], [...map.keys()]);
    deepEqual([...table.values()], [...map.values()]);
    equal(table.get(pg(count)), undefined);
    equal(table.has(pg(count)), false);
  }
});

test('a change is seen in the next table alone, and told as what changed since', () => {
  const before = RecordTable.of(mapOf(200));
  const changed = [record(3, 2), record(4, 2), record(130, 2)];
  const after = before.with(changed);
  deepEqual(after.changedSince(before), changed);
  deepEqual(before.changedSince(after).length, 3);
  equal(before.get(pg(3))?.version, 1);
  equal(after.get(pg(3)), changed[0]);
  deepEqual([...after.keys()], [...before.keys()]);
  deepEqual(before.with([]).changedSince(before), []);
});

test('tables of other placement groups are compared one by one', () => {
  const before = RecordTable.of(mapOf(100));
  const map = new Map(before);
  map.delete(pg(7));
  map.set(pg(100), record(100));
  const after = RecordTable.of(map);
  deepEqual(after.changedSince(before), [map.get(pg(100))]);
  deepEqual(after.goneSince(before), [pg(7)]);
});
