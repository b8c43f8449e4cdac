// Plays the post-mortem by both rules and compares it with what was recorded (docs/the-story/): the same steps, and the
// same end. Figures differ with every change of the product, and are not compared.
//
//   npm run sim:story               compares
//   npm run sim:story -- --renew    records anew, and draws the table and the picture of docs/the-story.md

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawStories } from '../sim/post-mortem/picture.ts';
import {
  documentPath,
  picturePath,
  readStory,
  recordedPath,
  withTables,
  writtenStory,
} from '../sim/post-mortem/recorded.ts';
import { formatStory, type Story, stepsFault, verdictFault } from '../sim/post-mortem/timeline.ts';
import { playOnce } from './sim-post-mortem.ts';

const { values } = parseArgs({ options: { renew: { type: 'boolean', default: false } } });
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const write = (path: string, text: string): void => writeFileSync(join(root, path), text);

let passed = 0;
let failed = 0;
const stories: Story[] = [];
for (const rules of ['ceph', 'holdfast'] as const) {
  const story = await playOnce(rules);
  stories.push(story);
  console.log(`${formatStory(story)}\n`);
  const fault =
    verdictFault(story) ??
    (values.renew ? undefined : stepsFault(readStory(read(recordedPath(rules))), story));
  if (fault === undefined) passed++;
  else {
    failed++;
    console.log(`by the rules of ${rules}: ${fault}\n`);
  }
}
if (values.renew) {
  for (const story of stories) write(recordedPath(story.rules), writtenStory(story));
  write(picturePath, drawStories(stories));
  write(documentPath, withTables(read(documentPath), stories));
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
