// A scratch copy of the sources with some text replaced, compiled: for planted bugs (src/sim/teeth/) and for the story by
// other rules (src/sim/post-mortem/). Works where the sources and the compiler are, a clone after `npm ci`.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Patch } from '../sim/teeth/teeth.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export class ScratchBuild {
  readonly #folder: string;
  /** Files of `src` that differ from the sources in what was built last. */
  #changed: readonly string[] = [];

  /** Throws when the sources are not there. */
  constructor(name: string) {
    if (!existsSync(join(root, 'src')))
      throw new Error(`no sources in ${root}: this needs a clone of the repository`);
    this.#folder = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
    cpSync(join(root, 'package.json'), join(this.#folder, 'package.json'));
    cpSync(join(root, 'dist'), join(this.#folder, 'dist'), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'));
  }

  /** Of what `build` made. */
  pathOf(...parts: readonly string[]): string {
    return join(this.#folder, 'dist', ...parts);
  }

  /**
   * Why it could not be built; undefined when it was. Each call begins with what `npm run build` made, and compiles
   * the files that differ, one by one: their types are not looked at.
   */
  build(patches: readonly Patch[]): string | undefined {
    for (const file of this.#changed)
      cpSync(join(root, builtOf(file)), this.#pathOf(builtOf(file)));
    this.#changed = [...new Set(patches.map(({ file }) => file))];
    for (const file of this.#changed) {
      mkdirSync(dirname(this.#pathOf(file)), { recursive: true });
      cpSync(join(root, file), this.#pathOf(file));
    }
    for (const { file, find, replace } of patches) {
      const text = readFileSync(this.#pathOf(file), 'utf8');
      const times = text.split(find).length - 1;
      if (times !== 1) return `no longer applies: ${times} times in ${file}: ${find}`;
      writeFileSync(
        this.#pathOf(file),
        text.replace(find, () => replace),
      );
    }
    return this.#changed.length === 0 ? undefined : this.#compile();
  }

  #compile(): string | undefined {
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { noResolve: true, rootDir: 'src', outDir: 'dist', types: [] },
      files: this.#changed,
      include: [],
    };
    writeFileSync(this.#pathOf('tsconfig.json'), JSON.stringify(config));
    const compiler = join('node_modules', 'typescript', 'bin', 'tsc');
    const built = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.json', '--noCheck'], {
      cwd: this.#folder,
      encoding: 'utf8',
    });
    return built.status === 0 ? undefined : `does not compile: ${built.stdout.slice(0, 500)}`;
  }

  #pathOf(file: string): string {
    return join(this.#folder, file);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What the compiler makes of a file of the sources. */
function builtOf(file: string): string {
  return file.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js');
}
