// A data directory on the real file system. Everything that must survive a power cut is followed by an
// fsync of the file and of the folder that names it.

import { constants, open as fsOpen } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { BlockDevice } from '../env/block-device.ts';
import { EnvError } from '../env/errors.ts';
import type { Files } from '../env/files.ts';
import type { KeyValue } from '../env/key-value.ts';
import { HostBlockDevice } from './host-block-device.ts';
import { HostKeyValue } from './host-key-value.ts';
import { asEnvError, systemCode } from './system-errors.ts';

/** Ends the name of a file being written; `list` does not show it, the next write replaces it. */
const temporarySuffix = '.writing~';

export class HostFiles implements Files {
  readonly #root: string;
  /** The last write of each path under way: they share a temporary name, so they go one by one. */
  readonly #writes = new Map<string, Promise<void>>();

  /** The folder is made when something is first written to it. */
  constructor(root: string) {
    this.#root = resolve(root);
  }

  async read(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    const at = this.#locate(path);
    return attempt(`reading ${at}`, async () => {
      const file = await open(at, 'r').catch(missing);
      if (file === undefined) return undefined;
      try {
        const found = await file.stat();
        if (!found.isFile()) throw new EnvError('io', `${at} is not a plain file`);
        const { size } = found;
        if (size > bytesMax) throw new EnvError('too-large', `${at} has ${size} bytes`);
        const content = new Uint8Array(size);
        for (let offset = 0; offset < size; ) {
          const { bytesRead } = await file.read(content, offset, size - offset, offset);
          if (bytesRead === 0) throw new EnvError('io', `${at} became shorter while being read`);
          offset += bytesRead;
        }
        return content;
      } finally {
        await file.close();
      }
    });
  }

  async writeAtomic(path: string, content: Uint8Array): Promise<void> {
    const at = this.#locate(path);
    const before = this.#writes.get(at) ?? Promise.resolve();
    const writing = before.catch(() => undefined).then(() => this.#replace(at, content));
    this.#writes.set(at, writing);
    try {
      await writing;
    } finally {
      if (this.#writes.get(at) === writing) this.#writes.delete(at);
    }
  }

  /** The new name may appear only when the content survives, and counts only when the folder does. */
  #replace(at: string, content: Uint8Array): Promise<void> {
    return attempt(`writing ${at}`, async () => {
      const temporary = at + temporarySuffix;
      await makeFolder(dirname(at));
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, at);
      await syncFolder(dirname(at));
    });
  }

  async list(path: string): Promise<readonly string[]> {
    const at = path === '' ? this.#root : this.#locate(path);
    return attempt(`listing ${at}`, async () => {
      const names = (await readdir(at).catch(missing)) ?? [];
      return names.filter((name) => !name.endsWith(temporarySuffix)).sort();
    });
  }

  async remove(path: string): Promise<void> {
    const at = this.#locate(path);
    await attempt(`removing ${at}`, async () => {
      if ((await stat(dirname(at)).catch(missing)) === undefined) return;
      await rm(at, { recursive: true, force: true });
      await syncFolder(dirname(at));
    });
  }

  async openBlockDevice(path: string): Promise<BlockDevice> {
    const at = this.#locate(path);
    return attempt(`opening ${at}`, async () => {
      await makeFolder(dirname(at));
      const descriptor = await openDescriptor(at);
      await syncFolder(dirname(at));
      return new HostBlockDevice(descriptor, at, await openDirect(at));
    });
  }

  async openKeyValue(path: string): Promise<KeyValue> {
    const at = this.#locate(path);
    return attempt(`opening ${at}`, async () => {
      await makeFolder(at);
      const keyValue = await HostKeyValue.open(at);
      await syncFolder(at);
      return keyValue;
    });
  }

  async space(): Promise<{ readonly totalBytes: number; readonly freeBytes: number }> {
    return attempt(`asking for the free space of ${this.#root}`, async () => {
      await makeFolder(this.#root);
      const { bsize, blocks, bavail } = await statfs(this.#root);
      return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
    });
  }

  #locate(path: string): string {
    for (const part of path.split('/'))
      if (part === '' || part === '.' || part === '..' || part.includes('\0'))
        throw new EnvError('denied', `${path} is not a path inside the folder`);
    if (path.endsWith(temporarySuffix))
      throw new EnvError('denied', `${path} ends like a file being written`);
    return join(this.#root, path);
  }
}

async function attempt<T>(operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asEnvError(operation, error);
  }
}

/** For `catch`: a missing file or folder is an answer. */
function missing(error: unknown): undefined {
  const code = systemCode(error);
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  return undefined;
}

/** A new folder survives when the folder that names it was synced, up to the first that was there. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const stop = dirname(resolve(first));
  for (let each = resolve(path); each !== stop; ) {
    each = dirname(each);
    await syncFolder(each);
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function openDescriptor(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fsOpen(path, constants.O_RDWR | constants.O_CREAT, 0o600, (error, descriptor) => {
      if (error === null) resolve(descriptor);
      else reject(error);
    });
  });
}

/** Undefined on file systems without direct writes (tmpfs). */
function openDirect(path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    fsOpen(path, constants.O_RDWR | constants.O_DIRECT, (error, descriptor) => {
      resolve(error === null ? descriptor : undefined);
    });
  });
}
