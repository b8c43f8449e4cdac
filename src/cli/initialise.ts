// The first start: identities, keys, the monitor's first state, empty disks. The order makes an
// interrupted one recognisable: the marker first, holdfast.yaml last.

import { randomBytes } from 'node:crypto';
import { encodeUtf8, formatHex } from '../base/bytes.ts';
import type { OsdId, Uuid } from '../base/ids.ts';
import { HostFiles } from '../host/host-files.ts';
import { type DirectoryUser, plainUser } from '../map/directory.ts';
import { defaultPools, initialState } from '../mon/initial.ts';
import { EmbeddedMapStore } from '../mon/map-store.ts';
import { firstUser, putsFor } from '../mon/state.ts';
import { ObjectStore } from '../store/object-store.ts';
import { type Config, type DataDir, initialisingName, osdCapacityBytesMin } from './data-dir.ts';

/** Left free for logs, key-value files being merged, and everybody else. */
export const useablePercent = 90;

/** The version that ObjectStore.format writes. */
const storeFormatVersion = 1;

export async function initialise(dir: DataDir, wanted: Omit<Config, 'fsid'>): Promise<Config> {
  await dir.files.writeAtomic(initialisingName, encodeUtf8(`${new Date().toISOString()}\n`));
  const config: Config = { ...wanted, fsid: newUuid() };
  const { freeBytes } = await dir.files.space();
  const osdCapacityBytes = Math.max(
    osdCapacityBytesMin,
    Math.floor((freeBytes * useablePercent) / 100 / config.osds),
  );
  await dir.writeNewKeys();
  await dir.writeDaemons({
    mon: newUuid(),
    s3: newUuid(),
    osdCapacityBytes,
    ports: {},
    capacities: {},
  });
  const capacityBytes = config.osdCapacityBytes ?? osdCapacityBytes;
  const disks = Array.from({ length: config.osds }, (_, id) => ({
    uuid: newUuid(),
    host: hostOf(id),
    capacityBytes,
  }));
  const user = newUser(firstUser);
  await Promise.all([
    writeFirstState(dir, config, disks, user),
    ...disks.map(({ uuid }, id) => formatDisk(dir, config.fsid, id, uuid)),
  ]);
  await dir.writeConfig(config);
  await dir.files.remove(initialisingName);
  return config;
}

/** On one machine each OSD plays a host. */
export function hostOf(osd: number): string {
  return `host-${osd}`;
}

export function newUuid(): Uuid {
  return randomBytes(16).toString('hex') as Uuid;
}

export function formatDisk(dir: DataDir, fsid: Uuid, osd: number, uuid: Uuid): Promise<void> {
  return ObjectStore.format(new HostFiles(dir.osdPath(osd)), {
    fsid,
    osdUuid: uuid,
    osdId: osd as OsdId,
    formatVersion: storeFormatVersion,
    createdWallMs: Date.now(),
  });
}

async function writeFirstState(
  dir: DataDir,
  { fsid, osds }: Config,
  disks: readonly { readonly uuid: Uuid; readonly host: string; readonly capacityBytes: number }[],
  user: DirectoryUser,
): Promise<void> {
  const state = initialState({
    fsid,
    disks,
    pools: defaultPools(osds),
    users: [user],
    nonce: () => formatHex(randomBytes(8)),
    storeId: newUuid(),
  });
  const store = await EmbeddedMapStore.open(new HostFiles(`${dir.path}/mon`), 'store');
  await store.transact(putsFor(undefined, state));
  await store.close();
}

/** Keys of the lengths that S3 clients are used to. */
function newUser(name: string): DirectoryUser {
  const keys = {
    name,
    accessKey: `HF${randomBytes(9).toString('hex').toUpperCase()}`,
    secretKey: randomBytes(30).toString('base64url'),
  };
  return plainUser(keys, Date.now(), true);
}
