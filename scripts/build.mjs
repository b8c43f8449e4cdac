// Builds dist/: the WebAssembly modules first (embedded as generated TypeScript), then the program.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

function run(command, args) {
  const result = spawnSync(command, args, { stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Removes compiled files whose source is gone, so that a deleted test does not go on running. */
function prune(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) prune(path);
    else if (
      name.endsWith('.js') &&
      !existsSync(path.replace(/^dist/, 'src').replace(/\.js$/, '.ts'))
    )
      rmSync(path);
  }
}

if (existsSync('scripts/build-wasm.mjs')) run(process.execPath, ['scripts/build-wasm.mjs']);
// With NODE_ENV=production the tests' own packages are not installed: then only the program is built.
const project = existsSync(join('node_modules', '@aws-sdk', 'client-s3'))
  ? 'tsconfig.json'
  : 'tsconfig.build.json';
run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', project]);
prune('dist');
// npm marks a program as executable only when it is there before its own `prepare` has built it.
chmodSync(join('dist', 'bin', 'holdfast.js'), 0o755);
