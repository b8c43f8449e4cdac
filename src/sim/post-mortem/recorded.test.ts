// The recorded timelines end as the story has to, and the document shows them.

import { equal } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { drawStories } from './picture.ts';
import { documentPath, picturePath, readStory, recordedPath, withTables } from './recorded.ts';
import { stepsFault, verdictFault } from './timeline.ts';

const read = (path: string): string => readFileSync(path, 'utf8');
const stories = (['ceph', 'holdfast'] as const).map((rules) =>
  readStory(read(recordedPath(rules))),
);

test('by each set of rules the recorded story ends as it has to', () => {
  for (const story of stories) equal(verdictFault(story), undefined, story.rules);
});

test('a story that ends otherwise, or takes other steps, is told', () => {
  const [ceph, holdfast] = stories as [(typeof stories)[0], (typeof stories)[0]];
  const lost = { ...holdfast, verdict: { ...holdfast.verdict, objectsLost: 1 } };
  equal(verdictFault(lost), '1 objects lost');
  const wrong = {
    ...holdfast,
    verdict: { ...holdfast.verdict, problems: ['piece 3 reads wrong'] },
  };
  equal(verdictFault(wrong), 'piece 3 reads wrong');
  const spared = { ...ceph, verdict: { ...ceph.verdict, storageHalted: false } };
  equal(verdictFault(spared), 'storage did not halt');
  equal(stepsFault(ceph, ceph), undefined);
  const shorter = { ...ceph, rows: ceph.rows.slice(0, -1) };
  equal(
    /^step \d+ was recorded as 'the end' and is 'undefined'/.test(stepsFault(ceph, shorter) ?? ''),
    true,
  );
});

test('table and picture of the document are drawn from what was recorded', () => {
  equal(read(picturePath), drawStories(stories));
  const document = read(documentPath);
  equal(document, withTables(document, stories));
});
