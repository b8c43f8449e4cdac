// Trees of files that clients carry to the cluster and back, and their comparison by Debian's diff.

import { equal } from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { bytesOf } from '../s3-session.ts';
import { ClientProgram, oddKeys } from './client-program.ts';

export const largeBytes = 13 * 2 ** 20 + 7;

/** Odd names, many small files in folders, an empty one, and one that clients send in parts. */
export function writeTree(folder: string, smallCount: number): void {
  const write = (name: string, bytes: Uint8Array): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  };
  for (const key of oddKeys) write(key, bytesOf(key, 70_000));
  for (let index = 0; index < smallCount; index++)
    write(`many/${index % 4}/file-${index}`, bytesOf(`small ${index}`, 1 + index * 997));
  write('empty', new Uint8Array(0));
  write('large', bytesOf('large', largeBytes));
}

/** Throws with what differs between two trees: names, kinds or bytes. */
export async function expectSameTree(t: TestContext, a: string, b: string): Promise<void> {
  const diff = new ClientProgram(t, '/usr/bin/diff', 'diffutils', {});
  equal(await diff.succeed('--recursive', '--no-dereference', a, b), '');
}
