// A later build's disk format, as far as today's builds can know it: all that a format promises of the next one is its
// number, in both copies of the superblock. So a build that knows a newer format is this one, which on its first start
// writes the newer number there and from then on reads it; everything else on the disk is as this build writes it. The
// number alone must keep an older build off the disk (docs/formats/store.md).

import { crc32c } from '../base/crc32c.ts';
import type { Files } from '../env/files.ts';
import { formatVersion, paths, superblockBytesMax } from '../store/format.ts';

export const newerFormatVersion: number = formatVersion + 1;

/** Where a superblock has the format's number, its checksum and the fields. */
const versionOffset = 4;
const checksumOffset = 8;
const fieldsOffset = 12;

function checksumOf(content: Uint8Array): number {
  return crc32c(content.subarray(fieldsOffset), crc32c(content.subarray(0, checksumOffset)));
}

/** The same superblock under another number; one that does not verify, or has neither, as it is. */
function renumbered(content: Uint8Array, from: number, to: number): Uint8Array {
  if (content.length < fieldsOffset) return content;
  const changed = content.slice();
  const view = new DataView(changed.buffer);
  if (view.getUint32(versionOffset, true) !== from) return content;
  if (view.getUint32(checksumOffset, true) !== checksumOf(content)) return content;
  view.setUint32(versionOffset, to, true);
  view.setUint32(checksumOffset, checksumOf(changed), true);
  return changed;
}

const superblocks: readonly string[] = [paths.superblock, paths.superblockCopy];

/** A disk as the newer build has it: to what runs on it, it is of this format. */
export function newerBuildsFiles(files: Files): Files {
  return {
    read: async (path, bytesMax) => {
      const content = await files.read(path, bytesMax);
      return content === undefined || !superblocks.includes(path)
        ? content
        : renumbered(content, newerFormatVersion, formatVersion);
    },
    writeAtomic: (path, content) =>
      files.writeAtomic(
        path,
        superblocks.includes(path)
          ? renumbered(content, formatVersion, newerFormatVersion)
          : content,
      ),
    list: (path) => files.list(path),
    remove: (path) => files.remove(path),
    openBlockDevice: (path) => files.openBlockDevice(path),
    openKeyValue: (path) => files.openKeyValue(path),
    space: () => files.space(),
  };
}

/** What the newer build does first with an older disk; with its own, nothing. The copy first, as in formatting. */
export async function migrateDisk(files: Files): Promise<void> {
  for (const path of [paths.superblockCopy, paths.superblock]) {
    const content = await files.read(path, superblockBytesMax);
    if (content === undefined) continue;
    const newer = renumbered(content, formatVersion, newerFormatVersion);
    if (newer !== content) await files.writeAtomic(path, newer);
  }
}
