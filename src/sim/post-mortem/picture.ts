// The picture of the story (docs/the-story.svg), drawn from the recorded timelines: one column of charts for each set of
// rules, over the same time.

import { formatTime, type Sample, type Story } from './timeline.ts';

const widthPx = 1160;
const marginPx = { left: 70, right: 20, top: 92, bottom: 40 };
const gapPx = 60;
const chartHeightPx = 110;
const chartGapPx = 46;

interface Chart {
  readonly title: string;
  /** Of both stories, so that they compare. */
  readonly most: number;
  readonly unit: string;
  readonly lines: readonly {
    readonly color: string;
    readonly name: string;
    readonly of: (sample: Sample, story: Story) => number;
  }[];
}

/** Between two times that are written below the charts. */
const labelMs = 5 * 60_000;

const good = '#1f7a4d';
const bad = '#c0392b';
const plain = '#2c5d8f';
const faint = '#9aa3ad';

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function text(at: readonly [number, number], words: string, more = ''): string {
  return `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" ${more}>${escaped(words)}</text>`;
}

/** Both stories side by side. */
export function drawStories(stories: readonly Story[]): string {
  const samples = stories.flatMap((story) => story.samples);
  // Those that fail at once can be many more, and end at the chart's edge.
  const servedMost = Math.max(...samples.map(({ served }) => served));
  const charts: readonly Chart[] = [
    {
      title: 'operations of clients in five seconds',
      most: Math.ceil(servedMost / 50) * 50,
      unit: '',
      lines: [
        { color: good, name: 'served', of: (sample) => sample.served },
        { color: bad, name: 'failed', of: (sample) => sample.failed },
      ],
    },
    {
      title: 'placement groups served, in percent',
      most: 100,
      unit: ' %',
      lines: [
        {
          color: plain,
          name: '',
          of: (sample) => (sample.pgsServing * 100) / sample.pgs,
        },
      ],
    },
    {
      title: 'OSDs that run',
      most: stories[0]?.osds ?? 1,
      unit: '',
      lines: [{ color: plain, name: '', of: (sample) => sample.osdsUp }],
    },
    {
      title: 'memory of the machine that uses most, of 8 GiB',
      most: 9,
      unit: ' GiB',
      lines: [
        {
          color: plain,
          name: '',
          of: (sample) => sample.memoryBytes / 2 ** 30,
        },
        {
          color: bad,
          name: 'there is no more',
          of: (_, story) => story.machineMemoryBytes / 2 ** 30,
        },
      ],
    },
  ];
  const columnPx = (widthPx - marginPx.left - marginPx.right - gapPx) / 2;
  const listLines = Math.max(...stories.map(({ rows }) => rows.length));
  const chartsPx = charts.length * (chartHeightPx + chartGapPx);
  const heightPx = marginPx.top + chartsPx + listLines * 17 + marginPx.bottom + 14;
  const endMs = Math.max(...samples.map(({ atMs }) => atMs));
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${widthPx}" height="${heightPx}" viewBox="0 0 ${widthPx} ${heightPx}" font-family="sans-serif" font-size="12" fill="#22272e">`,
    `<rect width="${widthPx}" height="${heightPx}" fill="#ffffff"/>`,
  ];
  for (const [at, story] of stories.entries()) {
    const left = marginPx.left + at * (columnPx + gapPx);
    const x = (ms: number): number => left + (ms * columnPx) / endMs;
    parts.push(...columnOf(story, { left, columnPx, x, charts, endMs }));
  }
  parts.push('</svg>');
  return `${parts.join('\n')}\n`;
}

interface Column {
  readonly left: number;
  readonly columnPx: number;
  readonly x: (ms: number) => number;
  readonly charts: readonly Chart[];
  readonly endMs: number;
}

function columnOf(story: Story, column: Column): string[] {
  const { left, columnPx, x, charts } = column;
  const { verdict } = story;
  const name = story.rules === 'ceph' ? "Ceph's rules" : "Holdfast's rules";
  const color = story.rules === 'ceph' ? bad : good;
  const sum =
    story.rules === 'ceph'
      ? `${verdict.objectsLost} objects lost, ${verdict.oomKills} OOM kills, ${verdict.crashes} crashes, all storage halted`
      : `nothing lost, ${verdict.oomKills} OOM kills, ${verdict.crashes} crashes, served to the end`;
  const parts = [
    text([left, 30], name, `font-size="20" font-weight="bold" fill="${color}"`),
    text([left, 52], sum, 'font-size="13"'),
  ];
  const bottom = marginPx.top + charts.length * (chartHeightPx + chartGapPx) - chartGapPx;
  let letterX = 0;
  for (const [at, row] of story.rows.entries()) {
    const px = x(row.atMs).toFixed(1);
    // Steps that end together have their letters side by side.
    letterX = Math.max(x(row.atMs), letterX + 8);
    parts.push(
      `<line x1="${px}" y1="${marginPx.top - 6}" x2="${px}" y2="${bottom}" stroke="#e3e6ea"/>`,
      text(
        [letterX, marginPx.top - 10],
        letterOf(at),
        'text-anchor="middle" font-size="10" fill="#5b6470"',
      ),
    );
  }
  for (const [at, chart] of charts.entries())
    parts.push(
      ...chartOf(story, chart, {
        ...column,
        top: marginPx.top + at * (chartHeightPx + chartGapPx),
      }),
    );
  const listTop = bottom + 60;
  for (const [at, row] of story.rows.entries())
    parts.push(
      text(
        [left, listTop + at * 17],
        `${letterOf(at)}  ${formatTime(row.atMs)}  ${row.what}`,
        'font-size="11.5"',
      ),
    );
  parts.push(
    `<line x1="${left}" y1="${bottom}" x2="${left + columnPx}" y2="${bottom}" stroke="${faint}"/>`,
  );
  for (let ms = 0; ms <= column.endMs; ms += labelMs)
    parts.push(
      text(
        [x(ms), bottom + 30],
        formatTime(ms),
        'text-anchor="middle" font-size="10" fill="#5b6470"',
      ),
    );
  return parts;
}

function chartOf(story: Story, chart: Chart, column: Column & { readonly top: number }): string[] {
  const { left, columnPx, x, top } = column;
  const y = (value: number): number =>
    top + chartHeightPx - (Math.min(value, chart.most) * chartHeightPx) / chart.most;
  const parts = [
    `<rect x="${left}" y="${top}" width="${columnPx}" height="${chartHeightPx}" fill="none" stroke="#d5dae0"/>`,
    text(
      [left - 6, top + 9],
      `${chart.most}${chart.unit}`,
      'text-anchor="end" font-size="10" fill="#5b6470"',
    ),
    text([left - 6, top + chartHeightPx], '0', 'text-anchor="end" font-size="10" fill="#5b6470"'),
    text([left, top + chartHeightPx + 15], chart.title, 'font-size="11" fill="#5b6470"'),
  ];
  let legendX = left + columnPx;
  for (const line of chart.lines) {
    const points = story.samples
      .map((sample) => `${x(sample.atMs).toFixed(1)},${y(line.of(sample, story)).toFixed(1)}`)
      .join(' ');
    parts.push(
      `<polyline points="${points}" fill="none" stroke="${line.color}" stroke-width="1.4"/>`,
    );
    if (line.name === '') continue;
    parts.push(
      text(
        [legendX, top + chartHeightPx + 15],
        line.name,
        `text-anchor="end" font-size="11" fill="${line.color}"`,
      ),
    );
    legendX -= 14 + line.name.length * 6;
  }
  return parts;
}

function letterOf(at: number): string {
  return String.fromCharCode(97 + at);
}
