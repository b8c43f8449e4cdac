// Bodies of admin requests: read with a bound, checked field by field. Whoever sends something else is
// told which field and why.

import { concatBytes, decodeUtf8 } from '../base/bytes.ts';
import type { OsdId } from '../base/ids.ts';
import type { BodySource } from '../env/http.ts';
import {
  type DeviceClass,
  type DomainLevel,
  deviceClasses,
  domainLevels,
  inlineBytesLimit,
  newLayout,
  newPool,
  type Pool,
} from '../map/cluster-map.ts';
import { type Geometry, geometryFault, parseGeometry } from '../map/geometry.ts';
import { AdminError } from './errors.ts';

/** A list of all PGs to scrub in a large cluster fits in. */
const bodyBytesMax = 256 * 1024;

export type Fields = Readonly<Record<string, unknown>>;

export async function readFields(body: BodySource): Promise<Fields> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (let piece = await body.next(); piece !== undefined; piece = await body.next()) {
    bytes += piece.length;
    if (bytes > bodyBytesMax) throw new AdminError('invalid', `more than ${bodyBytesMax} bytes`);
    pieces.push(piece);
  }
  if (bytes === 0) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(decodeUtf8(concatBytes(pieces)));
  } catch {
    throw new AdminError('invalid', 'the body is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new AdminError('invalid', 'the body is not a JSON object');
  return parsed as Fields;
}

export function textField(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new AdminError('invalid', `${name}: a text is needed`);
  return value;
}

export function optionalText(fields: Fields, name: string): string | undefined {
  return fields[name] === undefined ? undefined : textField(fields, name);
}

export function flagField(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== 'boolean')
    throw new AdminError('invalid', `${name}: true or false is needed`);
  return value;
}

export function osdsField(fields: Fields): ReadonlySet<OsdId> {
  const value = fields.osds;
  if (!Array.isArray(value) || value.length === 0 || value.length > 4096)
    throw new AdminError('invalid', 'osds: a list of OSD numbers is needed');
  for (const id of value)
    if (!Number.isSafeInteger(id) || id < 0)
      throw new AdminError('invalid', `osds: ${id} is not a number`);
  return new Set(value as OsdId[]);
}

export function textsField(fields: Fields, name: string): readonly string[] | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.some((each) => typeof each !== 'string'))
    throw new AdminError('invalid', `${name}: a list of texts is needed`);
  return value as string[];
}

export function wholeField(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new AdminError('invalid', `${name}: a whole number, not below zero, is needed`);
  return value;
}

export interface LayoutFields {
  readonly geometry?: Geometry;
  readonly failureDomain?: DomainLevel;
  readonly deviceClass?: DeviceClass | 'any';
  readonly pgCount?: number;
}

/** 32 PGs suit a handful of disks: six a disk and pool, and a rebuild has many sources. */
const pgCountDefault = 32;

function geometryField(words: string): Geometry {
  const geometry = parseGeometry(words);
  if (geometry === undefined)
    throw new AdminError(
      'invalid',
      `geometry: "${words}" is neither K+M (K 1 to 16, M 1 to 4) nor COPIES/MIN`,
    );
  const fault = geometryFault(geometry);
  if (fault !== undefined) throw new AdminError('invalid', `geometry: ${fault}`);
  return geometry;
}

function domainField(failureDomain: string): DomainLevel {
  if (!domainLevels.some((level) => level === failureDomain))
    throw new AdminError(
      'invalid',
      `failureDomain: ${failureDomain} is none of ${domainLevels.join(', ')}`,
    );
  return failureDomain as DomainLevel;
}

/** Undefined: none was named. */
export function deviceClassField(fields: Fields): DeviceClass | undefined {
  const deviceClass = optionalText(fields, 'deviceClass');
  return deviceClass === undefined ? undefined : classField(deviceClass);
}

function classField(deviceClass: string): DeviceClass {
  if (!deviceClasses.some((each) => each === deviceClass))
    throw new AdminError(
      'invalid',
      `deviceClass: ${deviceClass} is none of ${deviceClasses.join(', ')}`,
    );
  return deviceClass as DeviceClass;
}

function pgCountField(pgCount: unknown): number {
  if (typeof pgCount !== 'number' || !Number.isSafeInteger(pgCount))
    throw new AdminError('invalid', 'pgs: a whole number is needed');
  return pgCount;
}

/** What of a layout the request names. */
export function layoutFields(fields: Fields): LayoutFields {
  const geometry = optionalText(fields, 'geometry');
  const failureDomain = optionalText(fields, 'failureDomain');
  const deviceClass = optionalText(fields, 'deviceClass');
  return {
    ...(geometry === undefined ? {} : { geometry: geometryField(geometry) }),
    ...(failureDomain === undefined ? {} : { failureDomain: domainField(failureDomain) }),
    ...(deviceClass === undefined
      ? {}
      : { deviceClass: deviceClass === 'any' ? 'any' : classField(deviceClass) }),
    ...(fields.pgs === undefined ? {} : { pgCount: pgCountField(fields.pgs) }),
  };
}

export function poolField(fields: Fields): Omit<Pool, 'id'> {
  const {
    failureDomain = 'host',
    deviceClass = 'any',
    pgCount = pgCountDefault,
  } = layoutFields(fields);
  const rule = {
    failureDomain,
    deviceClass: deviceClass === 'any' ? undefined : deviceClass,
  };
  const geometry = geometryField(textField(fields, 'geometry'));
  return {
    name: textField(fields, 'name'),
    layouts: [{ id: 1, geometry, rule, pgCount, ...newLayout }],
    inlineBytesMax: inlineBytesLimit,
    ...newPool,
  };
}
