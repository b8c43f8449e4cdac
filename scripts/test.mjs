// Runs the compiled tests: everything beside the sources and in dist/test/, or, given a word, the
// suites `*.WORD.js` in dist/test/. The closing line is `N passed, N failed`.
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const suite = process.argv[2];
const ending = suite === undefined ? '.test.js' : `.${suite}.js`;

function find(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return find(path);
    return name.endsWith(ending) ? [path] : [];
  });
}

const files = find('dist').sort();
if (files.length === 0) {
  console.error(`no *${ending} in dist: run "npm ci" first`);
  process.exit(1);
}
const child = spawn(
  process.execPath,
  ['--test', '--test-reporter=spec', `--test-concurrency=${suite === undefined ? 2 : 1}`, ...files],
  { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_ENV: 'test' } },
);
let tail = '';
child.stdout.on('data', (bytes) => {
  process.stdout.write(bytes);
  tail = (tail + bytes).slice(-65536);
});
child.on('close', (code) => {
  const count = (word) =>
    Number([...tail.matchAll(new RegExp(`^ℹ ${word} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? 0);
  const failed = count('fail') + count('cancelled');
  console.log(`${count('pass')} passed, ${failed} failed`);
  process.exit(code !== 0 || failed > 0 || count('pass') === 0 ? 1 : 0);
});
