// What the monitor keeps in the map store, and how: one value a thing, so that a change of one PG record
// writes one value.
//
//   map            the cluster map
//   pg/<pg id>     one PG record each
//   directory      S3's users, groups, roles and accounts; until 0.1 `users` held names and keys alone
//   counters       the next writer incarnation
//   store          which map store this is
//   disk/<uuid>    the highest store sequence a disk is known to have reached

import { type Codec, decode, encode, list, struct, text, u32, uint } from '../base/codec.ts';
import { isUuid, type PgId, type Uuid, uuid } from '../base/ids.ts';
import { EnvError } from '../env/errors.ts';
import { type ClusterMap, clusterMapCodec } from '../map/cluster-map.ts';
import {
  type Directory,
  decodeDirectory,
  directoryFault,
  emptyDirectory,
  encodeDirectory,
  plainUser,
} from '../map/directory.ts';
import { mapFault } from '../map/map-fault.ts';
import { type PgRecord, pgRecordCodec } from '../map/pg-record.ts';
import { MonError } from './errors.ts';
import type { MapStore, Put } from './map-store.ts';
import { RecordTable } from './record-table.ts';

export interface MonState {
  readonly map: ClusterMap;
  readonly records: ReadonlyMap<PgId, PgRecord>;
  readonly directory: Directory;
  readonly nextIncarnation: number;
  /** Made with the store; another store of the same cluster has another. */
  readonly storeId: Uuid;
  /** By disk: at least this far had its store made its transactions durable (rule 21). */
  readonly sequences: ReadonlyMap<Uuid, number>;
}

/** "HFMV": every value of the map store starts with it and a format version. */
const valueMagic = 0x564d4648;
const valueVersion = 1;

function versioned<T>(codec: Codec<T>): Codec<T> {
  return {
    write: (w, value) => {
      u32.write(w, valueMagic);
      uint.write(w, valueVersion);
      codec.write(w, value);
    },
    read: (r) => {
      if (u32.read(r) !== valueMagic)
        throw new EnvError('corrupt', 'map store value without its magic');
      const version = uint.read(r);
      if (version !== valueVersion)
        throw new MonError(
          'refused',
          `the map store has format ${version}, and this Holdfast knows ${valueVersion}: use a newer one`,
        );
      return codec.read(r);
    },
  };
}

const mapValue = versioned(clusterMapCodec);
const recordValue = versioned(pgRecordCodec);
const usersValue = versioned(list(struct({ name: text, accessKey: text, secretKey: text })));

/** Whom `holdfast up` makes: the one that may change the others. */
export const firstUser = 'admin';
const countersValue = versioned(struct({ nextIncarnation: uint }));
const storeValue = versioned(struct({ id: uuid }));
const sequenceValue = versioned(struct({ sequence: uint }));

/** The puts that turn `before` into `after`; all of `after` when there was nothing. */
export function putsFor(before: MonState | undefined, after: MonState): Put[] {
  const puts: Put[] = [];
  const put = (key: string, value: Uint8Array | undefined): void => {
    puts.push({ key, value, expected: undefined });
  };
  if (before?.map !== after.map) put('map', encode(mapValue, after.map));
  if (before?.directory !== after.directory) {
    put('directory', encodeDirectory(after.directory));
    if (before?.directory.revision === 0) put('users', undefined);
  }
  if (before?.nextIncarnation !== after.nextIncarnation)
    put('counters', encode(countersValue, { nextIncarnation: after.nextIncarnation }));
  if (before?.storeId !== after.storeId) put('store', encode(storeValue, { id: after.storeId }));
  if (before?.sequences !== after.sequences) {
    for (const [disk, sequence] of after.sequences)
      if (before?.sequences.get(disk) !== sequence)
        put(`disk/${disk}`, encode(sequenceValue, { sequence }));
    for (const disk of before?.sequences.keys() ?? [])
      if (!after.sequences.has(disk)) put(`disk/${disk}`, undefined);
  }
  if (before?.records !== after.records) {
    const was = RecordTable.of(before?.records ?? new Map());
    const is = RecordTable.of(after.records);
    for (const record of is.changedSince(was)) put(`pg/${record.pg}`, encode(recordValue, record));
    for (const pg of is.goneSince(was)) put(`pg/${pg}`, undefined);
  }
  return puts;
}

/**
 * From a store of before there was a directory, one at revision 0: the first change writes it. Throws `EnvError`
 * `corrupt`.
 */
function loadDirectory(
  all: ReadonlyMap<string, { readonly value: Uint8Array }>,
  value: <T>(key: string, codec: Codec<T>) => T,
): Directory {
  const stored = all.get('directory');
  if (stored === undefined) {
    const users = value('users', usersValue).map((user) =>
      plainUser(user, 0, user.name === firstUser),
    );
    return { ...emptyDirectory, users };
  }
  let directory: Directory;
  try {
    directory = decodeDirectory(stored.value);
  } catch (error) {
    throw new EnvError('corrupt', 'the directory in the map store does not decode', {
      cause: error,
    });
  }
  const fault = directoryFault(directory);
  if (fault !== undefined)
    throw new EnvError('corrupt', `the directory in the map store is wrong: ${fault}`);
  return directory;
}

/**
 * Undefined when the store is empty. A store from before stores had an id is given `newId`, durably. Throws
 * `EnvError` `corrupt`, and `MonError` `refused` for a store of another cluster or a newer format.
 */
export async function loadState(
  store: MapStore,
  fsid: Uuid,
  newId: () => Uuid,
): Promise<MonState | undefined> {
  let all = await store.readAll();
  if (all.size === 0) return undefined;
  if (!all.has('store')) {
    const put = { key: 'store', value: encode(storeValue, { id: newId() }), expected: 0 };
    await store.transact([put]);
    all = await store.readAll();
  }
  const value = <T>(key: string, codec: Codec<T>): T => {
    const stored = all.get(key);
    if (stored === undefined) throw new EnvError('corrupt', `map store has no ${key}`);
    return decode(codec, stored.value);
  };
  const map = value('map', mapValue);
  if (map.fsid !== fsid)
    throw new MonError(
      'refused',
      `the map store belongs to cluster ${map.fsid}, and this is ${fsid}: put back the folder of its own`,
    );
  const wrong = mapFault(map);
  if (wrong !== undefined)
    throw new EnvError('corrupt', `the cluster map in the map store is wrong: ${wrong}`);
  const records = new Map<PgId, PgRecord>();
  const sequences = new Map<Uuid, number>();
  for (const [key, stored] of all) {
    if (key.startsWith('pg/')) {
      const record = decode(recordValue, stored.value);
      records.set(record.pg, record);
    } else if (key.startsWith('disk/')) {
      const disk = key.slice('disk/'.length);
      if (isUuid(disk)) sequences.set(disk, decode(sequenceValue, stored.value).sequence);
    }
  }
  return {
    map,
    records,
    directory: loadDirectory(all, value),
    nextIncarnation: value('counters', countersValue).nextIncarnation,
    storeId: value('store', storeValue).id,
    sequences,
  };
}

/** Makes a change that somebody asked for: durable, and shown, when it resolves. Throws `MonError` where it is refused. */
export type Command = (decide: (state: MonState) => MonState) => Promise<void>;
