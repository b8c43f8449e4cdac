// The house rules that the compiler can't hold: which folder may import which, no cycles, nothing in the
// core that is not the same on every run. Reads the sources as text.

import { deepEqual } from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', 'src');

/** What each folder may import besides itself (DESIGN: source layout). Levels rise from left to right. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  env: ['base'],
  erasure: ['base'],
  map: ['base', 'erasure'],
  host: ['base', 'env'],
  testing: ['base', 'env'],
  store: ['base', 'env'],
  wire: ['base', 'map'],
  net: ['base', 'env', 'map', 'wire'],
  mon: ['base', 'env', 'map', 'wire', 'net'],
  osd: ['base', 'env', 'erasure', 'map', 'store', 'wire', 'net'],
  client: ['base', 'env', 'erasure', 'map', 'wire', 'net'],
  s3: ['base', 'env', 'map', 'client'],
  block: ['base', 'env', 'map', 'client'],
  admin: ['base', 'env', 'map', 'wire', 'client'],
  rescue: ['base', 'env', 'erasure', 'map', 'store'],
  web: ['admin'],
  sim: [
    'base',
    'env',
    'erasure',
    'map',
    'testing',
    'store',
    'wire',
    'net',
    'mon',
    'osd',
    'client',
    's3',
    'block',
    'admin',
  ],
  cli: [
    'base',
    'env',
    'erasure',
    'map',
    'host',
    'store',
    'wire',
    'net',
    'mon',
    'osd',
    'client',
    's3',
    'block',
    'admin',
    'rescue',
    'web',
  ],
  bin: ['cli', 'sim', 'base', 'host'],
  // System tests drive the real program from outside and may look at everything.
  test: [
    'base',
    'env',
    'erasure',
    'map',
    'host',
    'testing',
    'store',
    'wire',
    'net',
    'mon',
    'osd',
    'client',
    's3',
    'admin',
    'cli',
    'sim',
  ],
};

/** Folders that meet the real world; all others are core. */
const outside = new Set(['host', 'cli', 'bin', 'web', 'test']);

/** Pure, synchronous libraries that gateways may import, each with a decision record. */
const libraries: Readonly<Record<string, readonly string[]>> = { s3: ['fast-xml-parser'] };

/** The one driver of virtual time. */
const mayUseTimers = new Set(['testing/turn.ts']);

const bans: readonly (readonly [string, RegExp])[] = [
  ['Date', /\bnew Date\b|\bDate\.(now|parse|UTC)\b/],
  ['Math.random', /\bMath\.random\b/],
  ['imprecise arithmetic', /\bMath\.(log|log2|log10|exp|sin|cos|pow)\b/],
  ['timers', /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
  ['process', /(?<![.\w])process\.(env|nextTick|exit|pid|hrtime|memoryUsage|on|cpuUsage)\b/],
  ['console', /\bconsole\.\w/],
  ['fetch', /(?<![.\w#])fetch\(/],
  ['Buffer', /\bBuffer\.(from|alloc|concat)/],
  ['performance', /\bperformance\.now\b/],
  ['references to garbage', /\b(WeakRef|FinalizationRegistry)\b/],
  ['Intl', /\bIntl\b|\blocaleCompare\b|\btoLocale\w+/],
  ['dynamic import', /(?<![\w.])import\(/],
];

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : path.endsWith('.ts') ? [path] : [];
  });
}

const files = filesBelow(root)
  .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') }))
  .filter(({ path }) => !path.endsWith('.d.ts') && !path.endsWith('.generated.ts'));

const isTest = (path: string): boolean =>
  /\.(test|fuzz|bench)\.ts$|-suite\.ts$/.test(path) || path.includes('/testing/');

function importsOf(text: string): string[] {
  return [...text.matchAll(/^(?:import|export)\s[^;'"]*?from\s+'([^']+)'/gms)].map(
    (match) => match[1] as string,
  );
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

const folderOf = (path: string): string => path.split('/')[0] as string;

test('folders import only what lies below them', () => {
  const wrong: string[] = [];
  for (const { path, text } of files) {
    if (isTest(path) || !path.includes('/')) continue;
    const from = folderOf(path);
    for (const target of importsOf(text)) {
      if (!target.startsWith('.')) continue;
      const to = folderOf(normalize(join(dirname(path), target)));
      if (to !== from && !(mayImport[from] ?? []).includes(to)) wrong.push(`${path} imports ${to}`);
    }
  }
  deepEqual(wrong, []);
});

test('no file imports itself, over however many others', () => {
  const graph = new Map(
    files.map(({ path, text }) => [
      path,
      importsOf(text)
        .filter((target) => target.startsWith('.'))
        .map((target) => normalize(join(dirname(path), target))),
    ]),
  );
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
      return;
    }
    state.set(path, 'open');
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    state.set(path, 'done');
  };
  for (const path of graph.keys()) visit(path, []);
  deepEqual(cycles, []);
});

test('the core reaches time, chance, disk and network only through env', () => {
  const wrong: string[] = [];
  for (const { path, text } of files) {
    if (isTest(path) || outside.has(folderOf(path)) || !path.includes('/')) continue;
    const code = withoutComments(text);
    for (const [name, pattern] of bans) {
      if (mayUseTimers.has(path) && name === 'timers') continue;
      if (pattern.test(code)) wrong.push(`${path}: ${name}`);
    }
    for (const target of importsOf(text)) {
      if (target.startsWith('.') || target === 'node:crypto') continue;
      if (!(libraries[folderOf(path)] ?? []).includes(target))
        wrong.push(`${path} imports ${target}`);
    }
  }
  deepEqual(wrong, []);
});

test('names, types and leftovers are as STYLE says', () => {
  const wrong: string[] = [];
  for (const { path, text } of files) {
    const name = path.split('/').at(-1) as string;
    if (!/^[a-z0-9-]+(\.(test|fuzz|bench|clients))?\.ts$/.test(name))
      wrong.push(`${path}: not kebab-case`);
    if (name === 'index.ts') wrong.push(`${path}: a barrel`);
    if (path === 'tidy.test.ts') continue;
    const code = withoutComments(text);
    if (/^export default\b/m.test(code)) wrong.push(`${path}: default export`);
    if (/\bas any\b|: any\b(?! \w)|<any>/.test(code)) wrong.push(`${path}: any`);
    if (/@ts-ignore|@ts-expect-error/.test(text)) wrong.push(`${path}: silenced compiler`);
    if (/\bFIXME\b|\bXXX\b/.test(text)) wrong.push(`${path}: FIXME`);
  }
  deepEqual(wrong, []);
});
