// A daemon's data directory. Paths are relative to it, `/`-separated, without `..`.

import type { BlockDevice } from './block-device.ts';
import type { KeyValue } from './key-value.ts';

export interface Files {
  /** Undefined when there is no such file. At most `bytesMax` are read: a longer file throws. */
  read(path: string, bytesMax: number): Promise<Uint8Array | undefined>;
  /**
   * Resolves when the new content survives power loss; a crash leaves the old content or the new one
   * whole. Parent folders are made.
   */
  writeAtomic(path: string, content: Uint8Array): Promise<void>;
  /** Names in a folder, sorted; empty when there is no such folder. */
  list(path: string): Promise<readonly string[]>;
  /** Removes a file, or a folder with all in it; nothing happens when it is not there. Durable when resolved. */
  remove(path: string): Promise<void>;
  /** Makes the file when it is missing. */
  openBlockDevice(path: string): Promise<BlockDevice>;
  /** Makes the store when it is missing. Throws `EnvError` `corrupt` when it can't be read. */
  openKeyValue(path: string): Promise<KeyValue>;
  /** Of the file system the directory is on. */
  space(): Promise<{ readonly totalBytes: number; readonly freeBytes: number }>;
}
