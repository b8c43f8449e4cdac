import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { PgView } from '../admin/views.ts';
import { ScrubWatch } from './scrub-watch.ts';

function view(pg: string, deepScrubbedMs: number | null, scrubbing = false, damaged = 0): PgView {
  return { pg, deepScrubbedMs, scrubbedMs: deepScrubbedMs, scrubbing, damaged } as PgView;
}

function watch(...asked: readonly [string, number | null][]): ScrubWatch {
  return new ScrubWatch(
    { asked: asked.map(([pg, beforeMs]) => ({ pg, beforeMs })), unasked: [] },
    true,
  );
}

test('a scrub has ended when its time is newer than as it was asked for', () => {
  const scrubs = watch(['1.1.0', 500], ['1.1.1', 500]);
  deepEqual(scrubs.look([view('1.1.0', 500, true), view('1.1.1', 501, false, 2)]), []);
  equal(scrubs.done, 1);
  equal(scrubs.damaged, 2);
  scrubs.look([view('1.1.0', 900), view('1.1.1', 501)]);
  equal(scrubs.done, 2);
});

test('a placement group that is gone is waited for no longer', () => {
  const scrubs = watch(['1.1.0', 0], ['1.2.0', 0]);
  scrubs.look([view('1.1.0', 0, true)]);
  equal(scrubs.done, 1);
});

test('a scrub that nobody does any more is asked for again', () => {
  const scrubs = watch(['1.1.0', 500]);
  const looks = Array.from({ length: 10 }, () => scrubs.look([view('1.1.0', 400)]));
  deepEqual(looks.flat(), ['1.1.0']);
  equal(scrubs.done, 0);
  // While it is under way nobody asks.
  for (let count = 0; count < 20; count++) deepEqual(scrubs.look([view('1.1.0', 400, true)]), []);
});

test('an older scrub that becomes known is not the one that was asked for', () => {
  const scrubs = watch(['1.1.0', null]);
  deepEqual(scrubs.look([view('1.1.0', null)]), []);
  deepEqual(scrubs.look([view('1.1.0', 700)]), ['1.1.0']);
  equal(scrubs.done, 0);
  scrubs.look([view('1.1.0', 701)]);
  equal(scrubs.done, 1);
});
