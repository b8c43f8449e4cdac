// What the monitor keeps in the map store, and how: one value a thing, so that a change of one PG record
// writes one value.
//
//   map            the cluster map
//   pg/<pg id>     one PG record each
//   users          S3 users
//   counters       the next writer incarnation

import { type Codec, decode, encode, list, struct, text, u32, uint } from '../base/codec.ts';
import type { PgId, Uuid } from '../base/ids.ts';
import { EnvError } from '../env/errors.ts';
import { type ClusterMap, clusterMapCodec } from '../map/cluster-map.ts';
import { type PgRecord, pgRecordCodec } from '../map/pg-record.ts';
import type { MapStore, Put } from './map-store.ts';

export interface User {
  readonly name: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface MonState {
  readonly map: ClusterMap;
  readonly records: ReadonlyMap<PgId, PgRecord>;
  readonly users: readonly User[];
  readonly nextIncarnation: number;
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
        throw new EnvError(
          'corrupt',
          `map store format ${version}; this program knows ${valueVersion}: use a newer one`,
        );
      return codec.read(r);
    },
  };
}

const mapValue = versioned(clusterMapCodec);
const recordValue = versioned(pgRecordCodec);
const usersValue: Codec<readonly User[]> = versioned(
  list(struct({ name: text, accessKey: text, secretKey: text })),
);
const countersValue = versioned(struct({ nextIncarnation: uint }));

/** The puts that turn `before` into `after`; all of `after` when there was nothing. */
export function putsFor(before: MonState | undefined, after: MonState): Put[] {
  const puts: Put[] = [];
  const put = (key: string, value: Uint8Array | undefined): void => {
    puts.push({ key, value, expected: undefined });
  };
  if (before?.map !== after.map) put('map', encode(mapValue, after.map));
  if (before?.users !== after.users) put('users', encode(usersValue, after.users));
  if (before?.nextIncarnation !== after.nextIncarnation)
    put('counters', encode(countersValue, { nextIncarnation: after.nextIncarnation }));
  if (before?.records !== after.records) {
    for (const [pg, record] of after.records)
      if (before?.records.get(pg) !== record) put(`pg/${pg}`, encode(recordValue, record));
    for (const pg of before?.records.keys() ?? [])
      if (!after.records.has(pg)) put(`pg/${pg}`, undefined);
  }
  return puts;
}

/** Undefined when the store is empty. Throws `EnvError` `corrupt`. */
export async function loadState(store: MapStore, fsid: Uuid): Promise<MonState | undefined> {
  const all = await store.readAll();
  if (all.size === 0) return undefined;
  const value = <T>(key: string, codec: Codec<T>): T => {
    const stored = all.get(key);
    if (stored === undefined) throw new EnvError('corrupt', `map store has no ${key}`);
    return decode(codec, stored.value);
  };
  const map = value('map', mapValue);
  if (map.fsid !== fsid)
    throw new EnvError('corrupt', `map store of cluster ${map.fsid}, expected ${fsid}`);
  const records = new Map<PgId, PgRecord>();
  for (const [key, stored] of all) {
    if (!key.startsWith('pg/')) continue;
    const record = decode(recordValue, stored.value);
    records.set(record.pg, record);
  }
  return {
    map,
    records,
    users: value('users', usersValue),
    nextIncarnation: value('counters', countersValue).nextIncarnation,
  };
}
