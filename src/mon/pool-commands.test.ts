import { doesNotThrow, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { formatPgId, type OsdId, type PoolId } from '../base/ids.ts';
import type { PgRecord } from '../map/pg-record.ts';
import { requireBearable } from './pool-commands.ts';

function recordsOn(osd: number, count: number): PgRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    pg: formatPgId(1 as PoolId, 1, index),
    tenure: 1,
    version: 1,
    primary: undefined,
    nonce: '',
    slots: [],
    target: [osd as OsdId],
  }));
}

test('a disk is given ten thousand placement groups, and more than it can bear are refused with what is usual', () => {
  doesNotThrow(() => requireBearable([...recordsOn(0, 10_000), ...recordsOn(1, 10_240)]));
  throws(
    () => requireBearable([...recordsOn(0, 10), ...recordsOn(1, 10_241)]),
    /osd\.1 would be in 10241 placement groups, and can bear 10240: take fewer; about 100 an OSD/,
  );
});
