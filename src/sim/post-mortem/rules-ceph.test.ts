// A rule that can't be replaced any more is played by nobody: whoever moves the text moves the patch along.

import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cephPatches } from './rules-ceph.ts';

test("each of Ceph's rules applies to the sources as they are", () => {
  const lost = cephPatches
    .filter(({ file, find }) => readFileSync(file, 'utf8').split(find).length !== 2)
    .map(({ file, find }) => `${file}: ${find}`);
  deepEqual(lost, []);
});
