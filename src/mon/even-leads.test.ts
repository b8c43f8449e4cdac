// Leads that are evened out, by what the map says when the change is made and not when it was thought of.

import { equal, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import type { Uuid } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import { copies } from '../map/geometry.ts';
import { LeadEvener } from './even-leads.ts';
import { initialState } from './initial.ts';
import { countLeads } from './planner.ts';
import { RecordTable } from './record-table.ts';
import type { MonState } from './state.ts';

const uuidOf = (id: number): Uuid => String(id).padStart(32, '0') as Uuid;
const nonce = (): string => 'n';

/** Two disks that are up, of which the first leads all four groups. */
function lopsided(): MonState {
  const disks = [0, 1].map((id) => ({ uuid: uuidOf(id), host: `host-${id}`, capacityBytes: 1e9 }));
  const data = { name: 'data', geometry: copies(2, 1), failureDomain: 'host', pgCount: 4 } as const;
  const ids = { fsid: uuidOf(99), storeId: uuidOf(98) };
  const state = initialState({ ...ids, disks, pools: [data], users: [], nonce });
  const osds = state.map.osds.map((osd) => ({ ...osd, up: true }));
  const led = [...state.records.values()].map((record) => ({ ...record, primary: uuidOf(0) }));
  const records = RecordTable.of(state.records).with(led);
  return { ...state, map: { ...state.map, osds }, records };
}

function ledBy(state: MonState, id: number): number {
  return countLeads(state.map, state.records).get(state.map.osds[id]?.id ?? (-1 as never)) ?? 0;
}

test('a lead moves to who leads less, unless that is called down before the change is made', () => {
  const state = lopsided();
  equal(ledBy(state, 0), 4);
  const evener = new LeadEvener(0);
  const step = evener.look(state, 0 as Instant, { nonce, isStopped: () => false });
  notEqual(step, undefined);
  if (step === undefined) return;
  equal(ledBy(step(state), 1), 1);
  const osds = state.map.osds.map((osd) => (osd.uuid === uuidOf(1) ? { ...osd, up: false } : osd));
  const down = { ...state, map: { ...state.map, osds } };
  equal(step(down), down);
});
