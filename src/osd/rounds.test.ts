// Who joins a round that is under way has the next.

import { deepEqual, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { Rounds } from './rounds.ts';

test('each has a round that began after it came, and those who came together share it', async () => {
  const said: string[] = [];
  const ends: (() => void)[] = [];
  let begun = 0;
  const rounds = new Rounds(async () => {
    const number = ++begun;
    said.push(`${number} begins`);
    await new Promise<void>((resolve) => ends.push(resolve));
    if (number === 2) throw new Error('nobody answered');
  });
  const joined = (name: string) => rounds.join().then(() => said.push(`${name} is done`));
  const first = joined('a');
  const together = [joined('b'), joined('c')];
  const failures = together.map((each) => rejects(each, /nobody answered/));
  ends[0]?.();
  await first;
  const last = joined('d');
  deepEqual(said, ['1 begins', 'a is done', '2 begins']);
  ends[1]?.();
  await Promise.all(failures);
  ends[2]?.();
  await last;
  deepEqual(said.slice(3), ['3 begins', 'd is done']);
});
