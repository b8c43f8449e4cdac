import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { SharedMemory } from './shared-memory.ts';

test('it is given back once, when the last holder is done, however often each says so', () => {
  let released = 0;
  const memory = new SharedMemory(() => released++);
  equal(memory.isHeld, false);
  const first = memory.hold();
  const second = memory.hold();
  first();
  first();
  equal(released, 0);
  equal(memory.isHeld, true);
  second();
  second();
  equal(released, 1);
  equal(memory.isHeld, false);
  throws(() => memory.hold(), /nobody holds what was given back/);
});
