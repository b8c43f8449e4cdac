// How the two timelines are kept in the repository: as they were played last, and in docs/the-story.md.

import type { Rules } from './rules.ts';
import { markdownOf, type Story, verdictWords } from './timeline.ts';

export const documentPath = 'docs/the-story.md';
export const picturePath = 'docs/the-story.svg';

export function recordedPath(rules: Rules): string {
  return `docs/the-story/${rules}.json`;
}

/** JSON with a line for each row and sample, so that a change of it can be read. */
export function writtenStory(story: Story): string {
  const { rows, samples, ...rest } = story;
  const lines = (items: readonly object[]): string =>
    items.map((item) => `    ${JSON.stringify(item)}`).join(',\n');
  const head = JSON.stringify(rest, undefined, 2).replace(/\n}$/, '');
  return `${head},\n  "rows": [\n${lines(rows)}\n  ],\n  "samples": [\n${lines(samples)}\n  ]\n}\n`;
}

/** Of what `writtenStory` wrote. */
export function readStory(written: string): Story {
  return JSON.parse(written) as Story;
}

/** The document with the tables of these stories between their marks. */
export function withTables(document: string, stories: readonly Story[]): string {
  return stories.reduce((text, story) => {
    const begin = `<!-- timeline ${story.rules} -->\n`;
    const end = '<!-- end of timeline -->';
    const from = text.indexOf(begin);
    const to = text.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`${documentPath} has no ${begin}`);
    const verdict = verdictWords(story).replaceAll('\n', '; ');
    const table = `${markdownOf(story)}\n\nThe end: ${verdict}.\n`;
    return text.slice(0, from + begin.length) + table + text.slice(to);
  }, document);
}
