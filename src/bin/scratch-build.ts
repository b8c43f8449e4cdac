// A scratch copy of the sources with some text replaced, compiled: for planted bugs (src/sim/teeth/) and for the story by
// other rules (src/sim/post-mortem/). Works where the sources and the compiler are, a clone after `npm ci`.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
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

  /** Throws when the sources are not there. */
  constructor(name: string) {
    if (!existsSync(join(root, 'src')))
      throw new Error(`no sources in ${root}: this needs a clone of the repository`);
    this.#folder = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
    for (const file of ['tsconfig.json', 'package.json'])
      cpSync(join(root, file), join(this.#folder, file));
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'));
  }

  /** Of what `build` made. */
  pathOf(...parts: readonly string[]): string {
    return join(this.#folder, 'dist', ...parts);
  }

  /** Why it could not be built; undefined when it was. Each call begins with the sources as they are. */
  build(patches: readonly Patch[]): string | undefined {
    rmSync(join(this.#folder, 'src'), { recursive: true, force: true });
    cpSync(join(root, 'src'), join(this.#folder, 'src'), { recursive: true });
    for (const { file, find, replace } of patches) {
      const path = join(this.#folder, file);
      const text = readFileSync(path, 'utf8');
      const times = text.split(find).length - 1;
      if (times !== 1) return `no longer applies: ${times} times in ${file}: ${find}`;
      writeFileSync(
        path,
        text.replace(find, () => replace),
      );
    }
    const compiler = join('node_modules', 'typescript', 'bin', 'tsc');
    const built = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.json', '--noCheck'], {
      cwd: this.#folder,
      encoding: 'utf8',
    });
    return built.status === 0 ? undefined : `does not compile: ${built.stdout.slice(0, 500)}`;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
