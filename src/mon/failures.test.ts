import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { OsdId } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import { FailureReports } from './failures.ts';

const target = 1 as OsdId;
const inTouch = { lostTouch: false, otherDomains: 4 };

function told(...reports: readonly (readonly [reporter: number, domain: string, at: number])[]) {
  const all = new FailureReports();
  for (const [reporter, domain, at] of reports)
    all.add({ target, reporter: reporter as OsdId, domain, at: at as Instant });
  return all;
}

const at = (ms: number): Instant => ms as Instant;

test('two failure domains decide, and one where the monitor has lost touch itself', () => {
  const oneHost = told([2, 'a', 0], [3, 'a', 0]);
  equal(oneHost.isDown(target, at(0), inTouch), false);
  equal(oneHost.isDown(target, at(0), { ...inTouch, lostTouch: true }), true);
  equal(told([2, 'a', 0], [3, 'b', 0]).isDown(target, at(0), inTouch), true);
  equal(told().isDown(target, at(0), { ...inTouch, lostTouch: true }), false);
});

test('what was reported counts while it is repeated each second, and not for much longer', () => {
  const reports = told([2, 'a', 0], [3, 'b', 2000]);
  equal(reports.isDown(target, at(3000), inTouch), true);
  // As at the end of a monitor's first seconds: both have been in touch again since.
  equal(reports.isDown(target, at(4400), inTouch), false);
  reports.add({ target, reporter: 2 as OsdId, domain: 'a', at: at(4500) });
  equal(reports.isDown(target, at(4600), inTouch), true);
});
