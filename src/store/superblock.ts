// Who a folder belongs to: the two copies of the superblock, and what makes a folder a store.
//
// Formatting: (1) the marker `formatting`; (2) the key-value store with its identity and head, synced,
// and the block file; (3) superblock.copy; (4) superblock; (5) the marker goes. A crash before (3)
// leaves a folder that formatting clears and begins anew; from (3) on it is a store, and the missing
// copy is written when it is opened.

import { encode } from '../base/codec.ts';
import { EnvError } from '../env/errors.ts';
import type { Files } from '../env/files.ts';
import { StoreError } from './errors.ts';
import {
  decodeSuperblock,
  encodeSuperblock,
  formatVersion,
  frameValue,
  headCodec,
  headKey,
  identityCodec,
  identityKey,
  paths,
  type Superblock,
  type SuperblockRead,
  superblockBytesMax,
} from './format.ts';

export type Inspection =
  | { readonly kind: 'empty' }
  | { readonly kind: 'formatted'; readonly superblock: Superblock }
  | { readonly kind: 'unreadable'; readonly reason: string };

type Copies = readonly [SuperblockRead | undefined, SuperblockRead | undefined];

async function readCopies(files: Files): Promise<Copies> {
  const read = async (path: string): Promise<SuperblockRead | undefined> => {
    try {
      const source = await files.read(path, superblockBytesMax);
      return source === undefined ? undefined : decodeSuperblock(source);
    } catch (error) {
      if (!(error instanceof EnvError) || error.code === 'denied') throw error;
      return { kind: 'damaged', reason: error.message };
    }
  };
  return [await read(paths.superblock), await read(paths.superblockCopy)];
}

/** Throws `StoreError` unless one copy is valid and neither is newer than this program. */
function chooseCopy([primary, copy]: Copies): Superblock {
  for (const each of [primary, copy])
    if (each?.kind === 'newer')
      throw new StoreError({
        code: 'newer-format',
        expected: formatVersion,
        actual: each.version,
      });
  for (const each of [primary, copy]) if (each?.kind === 'valid') return each.superblock;
  for (const each of [primary, copy])
    if (each?.kind === 'damaged')
      throw new StoreError({ code: 'superblock-corrupt', reason: each.reason });
  throw new StoreError({ code: 'not-formatted' });
}

/** Changes nothing. */
export async function readSuperblock(files: Files): Promise<Superblock> {
  return chooseCopy(await readCopies(files));
}

/** Finishes what a crash left of formatting, and writes again a copy that the disk lost; how many that were. */
export async function mendSuperblock(files: Files): Promise<number> {
  const copies = await readCopies(files);
  const content = encodeSuperblock(chooseCopy(copies));
  if (copies[1]?.kind !== 'valid') await files.writeAtomic(paths.superblockCopy, content);
  if (copies[0]?.kind !== 'valid') await files.writeAtomic(paths.superblock, content);
  // Left behind, it would let a later format clear a folder whose superblocks went missing.
  await files.remove(paths.formatting);
  return copies.filter((each) => each?.kind !== 'valid').length;
}

/** Made by mkfs in a file system that is new. */
const madeByOthers = 'lost+found';

/**
 * Store files without a superblock are the remains of one, unless a format was under way; anything else is somebody's.
 */
async function remains(files: Files): Promise<string | undefined> {
  const names = await files.list('');
  if (names.includes(paths.formatting)) return undefined;
  return names.find((name) => name !== madeByOthers);
}

export async function inspectFolder(files: Files): Promise<Inspection> {
  try {
    return { kind: 'formatted', superblock: await readSuperblock(files) };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code !== 'not-formatted') return { kind: 'unreadable', reason: error.message };
  }
  const found = await remains(files);
  if (found === undefined) return { kind: 'empty' };
  return { kind: 'unreadable', reason: `there is a "${found}" without a superblock` };
}

export async function formatFolder(files: Files, superblock: Superblock): Promise<void> {
  const [primary, copy] = await readCopies(files);
  const found =
    primary !== undefined || copy !== undefined ? paths.superblock : await remains(files);
  if (found !== undefined) throw new StoreError({ code: 'already-formatted', found });

  await files.writeAtomic(paths.formatting, new Uint8Array(0));
  await files.remove(paths.meta);
  await files.remove(paths.block);
  const keyValue = await files.openKeyValue(paths.meta);
  try {
    const identity = encode(identityCodec, superblock.osdUuid);
    const head = encode(headCodec, { group: 0, sequence: 0 });
    await keyValue.commit(
      [
        { kind: 'put', key: identityKey, value: frameValue(identityKey, identity) },
        { kind: 'put', key: headKey(0), value: frameValue(headKey(0), head) },
      ],
      { sync: true },
    );
  } finally {
    await keyValue.close();
  }
  const block = await files.openBlockDevice(paths.block);
  await block.close();
  const content = encodeSuperblock(superblock);
  await files.writeAtomic(paths.superblockCopy, content);
  await files.writeAtomic(paths.superblock, content);
  await files.remove(paths.formatting);
}
