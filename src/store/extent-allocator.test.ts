import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../testing/seeded-random.ts';
import { ExtentAllocator, pageUnits, UnitSet } from './extent-allocator.ts';
import type { Extent } from './format.ts';

test('no unit is handed out twice, and all there are can be had', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed);
    const unitsEnd = 500 + random.below(3000);
    const allocator = new ExtentAllocator(unitsEnd);
    const taken = new Set<number>();
    const live: Extent[] = [];
    for (let i = 0; i < 600; i++) {
      if (live.length > 0 && random.below(5) < 2) {
        const [extent] = live.splice(random.below(live.length), 1) as [Extent];
        allocator.release(extent);
        for (let n = 0; n < extent.unitCount; n++) taken.delete(extent.firstUnit + n);
      } else {
        const count = 1 + random.below(200);
        const extents = allocator.allocate(count);
        equal(extents !== undefined, count <= unitsEnd - taken.size, `seed ${seed}: fits or not`);
        for (const extent of extents ?? []) {
          live.push(extent);
          for (let n = 0; n < extent.unitCount; n++) {
            const unit = extent.firstUnit + n;
            ok(unit < unitsEnd && !taken.has(unit), `seed ${seed}: unit ${unit} was free`);
            taken.add(unit);
          }
        }
      }
      equal(allocator.takenUnits, taken.size);
    }
  }
});

test('the first place that fits is taken whole, pieces only when there is none', () => {
  const allocator = new ExtentAllocator(100);
  for (const extent of [
    { firstUnit: 0, unitCount: 10 },
    { firstUnit: 14, unitCount: 6 },
    { firstUnit: 40, unitCount: 55 },
  ])
    allocator.claim(extent);
  deepEqual(allocator.allocate(4), [{ firstUnit: 10, unitCount: 4 }]);
  deepEqual(allocator.allocate(20), [{ firstUnit: 20, unitCount: 20 }]);
  const rest = allocator.allocate(5);
  deepEqual(rest, [{ firstUnit: 95, unitCount: 5 }]);
  equal(allocator.allocate(1), undefined);
  allocator.release({ firstUnit: 10, unitCount: 4 });
  allocator.release({ firstUnit: 50, unitCount: 2 });
  equal(allocator.allocate(7), undefined);
  equal(allocator.takenUnits, 94, 'a failed attempt takes nothing');
  const pieces = allocator.allocate(6) ?? [];
  equal(
    pieces.reduce((sum, { unitCount }) => sum + unitCount, 0),
    6,
  );
});

test('claiming says how much was free', () => {
  const allocator = new ExtentAllocator(1000);
  equal(allocator.claim({ firstUnit: 10, unitCount: 10 }), 10);
  equal(allocator.claim({ firstUnit: 15, unitCount: 10 }), 5);
  equal(allocator.claim({ firstUnit: 5000, unitCount: 3 }), 3, 'beyond the end too');
});

test('memory follows fragmentation, not capacity', () => {
  const units = new UnitSet();
  equal(units.add({ firstUnit: 0, unitCount: 40 * pageUnits }), 40 * pageUnits);
  equal(units.memoryBytes, 0, 'full pages cost nothing');
  units.remove({ firstUnit: 5 * pageUnits + 7, unitCount: 1 });
  equal(units.memoryBytes, pageUnits / 8);
  equal(units.findFree(1, 40 * pageUnits), 5 * pageUnits + 7);
  equal(units.findFree(2, 40 * pageUnits), undefined);
  equal(units.findFree(2, 41 * pageUnits), 40 * pageUnits);
  units.remove({ firstUnit: 0, unitCount: 40 * pageUnits });
  equal(units.memoryBytes, 0);
  equal(units.takenCount, 0);
});

test('a long run is found though it begins inside a word and spans many', () => {
  const units = new UnitSet();
  units.add({ firstUnit: 0, unitCount: 33 });
  units.add({ firstUnit: 400, unitCount: 1 });
  equal(units.findFree(367, pageUnits), 33);
  equal(units.findFree(368, pageUnits), 401);
  equal(units.has(33), false);
  equal(units.has(400), true);
});
