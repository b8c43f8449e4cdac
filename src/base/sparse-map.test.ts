import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { SparseMap } from './sparse-map.ts';

test('it is a map, also when it was emptied, and while it is walked', () => {
  const map = new SparseMap<string, number>();
  equal(map.size, 0);
  deepEqual([...map], []);
  map.set('a', 1);
  map.set('b', 2);
  deepEqual([map.get('a'), map.has('b'), map.has('c'), map.size], [1, true, false, 2]);
  deepEqual(
    [[...map], [...map.keys()], [...map.values()]],
    [
      [
        ['a', 1],
        ['b', 2],
      ],
      ['a', 'b'],
      [1, 2],
    ],
  );
  const seen: string[] = [];
  for (const [key] of map) {
    seen.push(key);
    map.delete(key);
  }
  deepEqual([seen, map.size], [['a', 'b'], 0]);
  map.set('c', 3);
  map.clear();
  deepEqual([map.get('c'), [...map]], [undefined, []]);
});
