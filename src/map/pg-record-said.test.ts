import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { OsdId, PgId, Uuid } from '../base/ids.ts';
import { leadsBy, mayHaveBeenSaid, type PgRecord } from './pg-record.ts';

const [x, y] = ['a', 'b'].map((digit) => digit.repeat(32)) as [Uuid, Uuid];

const word: PgRecord = {
  pg: '1.1.0' as PgId,
  tenure: 5,
  version: 20,
  primary: x,
  nonce: 'n',
  slots: [x, y].map((uuid, index) => ({
    osd: index as OsdId,
    uuid,
    index,
    state: 'in-sync',
    asOf: 0,
  })),
  target: [0, 1] as OsdId[],
};

const cases: readonly (readonly [
  what: string,
  edit: Partial<PgRecord>,
  may: boolean,
  leads: boolean,
])[] = [
  ['the newest', {}, true, true],
  ['one before it, in the same tenure', { version: 19, nonce: 'm' }, true, true],
  ['one of an earlier tenure', { version: 15, tenure: 4 }, true, false],
  ['one of another primary, before', { version: 15, primary: y }, true, false],
  ['a version that is not there yet', { version: 21 }, false, false],
  ['a tenure that is not there yet', { tenure: 6, version: 19 }, false, false],
  ['another of the same version', { nonce: 'm' }, false, false],
  ['the same with another primary', { primary: y }, false, false],
  ['the same with fewer slots', { slots: word.slots.slice(0, 1) }, false, false],
];

test('what the monitor never said is told from what it said', () => {
  for (const [what, edit, may, leads] of cases) {
    const record = { ...word, ...edit };
    equal(mayHaveBeenSaid(record, word), may, what);
    equal(leadsBy(word, record), leads, what);
  }
  equal(mayHaveBeenSaid(word, undefined), false, 'a group that there is not');
});
