// Text for people: tables, sizes, times, and colours where there is a terminal to show them.

export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

type Stream = { readonly isTTY?: boolean };

/** NO_COLOR (no-color.org) is obeyed. */
export function paint(stream: Stream): Paint {
  const isOn = stream.isTTY === true && (process.env.NO_COLOR ?? '') === '';
  const wrap =
    (begin: number, end: number) =>
    (text: string): string =>
      isOn ? `\x1b[${begin}m${text}\x1b[${end}m` : text;
  return {
    bold: wrap(1, 22),
    dim: wrap(2, 22),
    red: wrap(31, 39),
    green: wrap(32, 39),
    yellow: wrap(33, 39),
  };
}

export interface Column {
  readonly title: string;
  readonly align?: 'right';
}

/** Columns as wide as their widest cell; colours do not count. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const all = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, at) => Math.max(...all.map((row) => widthOf(row[at] ?? ''))));
  const lines = all.map((row) =>
    columns
      .map(({ align }, at) => {
        const cell = row[at] ?? '';
        const space = ' '.repeat((widths[at] as number) - widthOf(cell));
        return align === 'right' ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

function widthOf(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with the escape character.
  return text.replace(/\x1b\[\d+m/g, '').length;
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

export function formatPercent(part: number, whole: number): string {
  return whole === 0 ? '–' : `${((part * 100) / whole).toFixed(1)} %`;
}

/** `4 min ago`; `never` for 0. */
export function formatAge(atMs: number, nowMs: number): string {
  if (atMs === 0) return 'never';
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

/** What a domain more or less would mean, in words. */
export function formatMargin(margin: { readonly writes: number; readonly reads: number }): string {
  const words = (count: number, what: string): string =>
    count < 0 ? `${what} impossible now` : `${count} for ${what}`;
  return `${words(margin.writes, 'writes')}, ${words(margin.reads, 'reads')}`;
}
