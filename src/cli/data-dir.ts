// The directory of a cluster on one machine, and who may touch it when.
//
//   holdfast.yaml     what people may edit; written last at the first start: with it the cluster exists
//   daemons.json      uuids and kept ports of the daemons; ours alone
//   initialising      there while the first start is under way
//   lock              who runs the cluster now
//   keys/             master key and admin token, readable by the owner only
//   mon/  osd.N/      each daemon's own
//   log/  crash/
//
// A directory that is not plainly one of ours is left as it is.

import { randomBytes } from 'node:crypto';
import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse, parseDocument, stringify } from 'yaml';
import { decodeUtf8, encodeUtf8, formatHex, parseHex } from '../base/bytes.ts';
import { isUuid, type Uuid } from '../base/ids.ts';
import { memoryBudgetBytesDefault, memoryBudgetBytesMin } from '../base/memory-budget.ts';
import { parseHostPort } from '../host/addresses.ts';
import { HostFiles } from '../host/host-files.ts';
import { systemCode } from '../host/system-errors.ts';
import { CliError, wordsOf } from './errors.ts';
import { type GatewaySettings, parseGatewaySettings } from './gateway-settings.ts';
import { nearestWord } from './nearest.ts';

export const defaults = {
  dataDir: './holdfast-data',
  osds: 5,
  s3: '127.0.0.1:7480',
  admin: '127.0.0.1:7440',
} as const;

/** Of holdfast.yaml and daemons.json. */
const formatVersion = 1;

const configName = 'holdfast.yaml';
const daemonsName = 'daemons.json';
export const initialisingName = 'initialising';
export const lockName = 'lock';
const masterKeyName = 'keys/master';
const adminTokenName = 'keys/admin-token';

export interface Config {
  readonly fsid: Uuid;
  readonly osds: number;
  readonly s3: string;
  readonly admin: string;
  /** Of each OSD; undefined: what the first start found fitting. */
  readonly osdCapacityBytes: number | undefined;
  /** Of each OSD and gateway (promise P6). */
  readonly memoryBudgetBytes: number;
  /** Processes that serve S3 at the one address. */
  readonly gateways: number;
  readonly gateway: GatewaySettings;
}

export interface Daemons {
  readonly mon: Uuid;
  readonly s3: Uuid;
  readonly osdCapacityBytes: number;
  /** By daemon name, e.g. `osd.3`: kept, so that peers find it again. */
  readonly ports: Readonly<Record<string, number>>;
  /** By daemon name: of those that were added later. */
  readonly capacities: Readonly<Record<string, number>>;
}

export interface Keys {
  readonly master: Uint8Array;
  readonly adminToken: string;
}

/** What is in the directory; only the first two may be started. */
export type DataState =
  | { readonly kind: 'new' }
  | { readonly kind: 'cluster'; readonly config: Config }
  | { readonly kind: 'refused'; readonly reason: string };

export class DataDir {
  readonly path: string;
  readonly files: HostFiles;

  constructor(path: string) {
    this.path = resolve(path);
    this.files = new HostFiles(this.path);
  }

  get crashPath(): string {
    return join(this.path, 'crash');
  }

  osdPath(id: number): string {
    return join(this.path, `osd.${id}`);
  }

  /** Changes nothing. */
  inspect(): DataState {
    let names: readonly string[];
    try {
      names = readdirSync(this.path);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT') return this.#inspectMissing();
      const reason = code === 'ENOTDIR' ? 'is not a directory' : `can't be read: ${wordsOf(error)}`;
      return { kind: 'refused', reason: `${this.path} ${reason}` };
    }
    const denied = this.#deniedReason(this.path);
    if (denied !== undefined) return { kind: 'refused', reason: denied };
    if (names.includes(configName)) return this.#inspectConfig();
    if (names.includes(initialisingName))
      return {
        kind: 'refused',
        reason: `${this.path} is half initialised: a first start was interrupted before the cluster held anything. Remove the directory and start again`,
      };
    const others = names.filter((name) => name !== lockName);
    if (others.length === 0) return { kind: 'new' };
    return {
      kind: 'refused',
      reason: `${this.path} is not a Holdfast data directory and not empty (it has ${others.slice(0, 3).join(', ')}${others.length > 3 ? ', …' : ''}): choose another with --data`,
    };
  }

  #inspectMissing(): DataState {
    let parent = dirname(this.path);
    for (; parent !== dirname(parent); parent = dirname(parent))
      if (statSync(parent, { throwIfNoEntry: false }) !== undefined) break;
    const denied = this.#deniedReason(parent);
    return denied === undefined ? { kind: 'new' } : { kind: 'refused', reason: denied };
  }

  #deniedReason(path: string): string | undefined {
    try {
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      return `${path} is not writable for this user: ${wordsOf(error)}`;
    }
  }

  #inspectConfig(): DataState {
    try {
      return { kind: 'cluster', config: this.readConfig() };
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      return { kind: 'refused', reason: error.message };
    }
  }

  /** Throws `CliError` with what is wrong and where. */
  readConfig(): Config {
    const path = join(this.path, configName);
    return parseConfig(readText(path), path);
  }

  /** A new one, before anybody wrote settings of the gateway into it. */
  async writeConfig(config: Config): Promise<void> {
    const { fsid, osds, s3, admin, osdCapacityBytes, gateways } = config;
    const body = stringify({
      format: formatVersion,
      fsid,
      osds,
      s3,
      admin,
      ...(osdCapacityBytes === undefined ? {} : { osdCapacityBytes }),
      // The default goes by the machine that it runs on.
      ...(gateways === gatewaysDefault() ? {} : { gateways }),
    });
    const text = `# A Holdfast cluster. Flags of \`holdfast up\` go over what stands here.\n${body}`;
    await this.files.writeAtomic(configName, encodeUtf8(text));
  }

  /** Leaves what else stands there, and its comments, as it is. */
  async writeOsdCount(osds: number): Promise<void> {
    const document = parseDocument(readText(join(this.path, configName)));
    document.set('osds', osds);
    await this.files.writeAtomic(configName, encodeUtf8(document.toString()));
  }

  readDaemons(): Daemons {
    const path = join(this.path, daemonsName);
    const parsed: unknown = parseJson(readText(path), path);
    const fields = recordOf(parsed, path);
    requireFormat(fields, path);
    const { mon, s3, osdCapacityBytes, ports, capacities = {} } = fields;
    if (typeof mon !== 'string' || !isUuid(mon) || typeof s3 !== 'string' || !isUuid(s3))
      throw new CliError(1, `${path}: mon and s3 have no uuid`);
    if (!isCount(osdCapacityBytes, 1))
      throw new CliError(1, `${path}: osdCapacityBytes is no number`);
    return {
      mon,
      s3,
      osdCapacityBytes,
      ports: countsOf(ports, `${path}: ports`),
      capacities: countsOf(capacities, `${path}: capacities`),
    };
  }

  async writeDaemons(daemons: Daemons): Promise<void> {
    const text = JSON.stringify({ format: formatVersion, ...daemons }, undefined, 2);
    await this.files.writeAtomic(daemonsName, encodeUtf8(`${text}\n`));
  }

  readKeys(): Keys {
    const path = join(this.path, masterKeyName);
    const master = parseHex(readText(path).trim());
    if (master === undefined || master.length !== 32)
      throw new CliError(1, `${path} is not a key of 64 hexadecimal digits`);
    return { master, adminToken: this.readAdminToken() };
  }

  readAdminToken(): string {
    return readText(join(this.path, adminTokenName)).trim();
  }

  /** The files are readable by their owner only, as all that `HostFiles` writes. */
  async writeNewKeys(): Promise<Keys> {
    const master = new Uint8Array(randomBytes(32));
    const adminToken = randomBytes(24).toString('base64url');
    await this.files.writeAtomic(masterKeyName, encodeUtf8(`${formatHex(master)}\n`));
    await this.files.writeAtomic(adminTokenName, encodeUtf8(`${adminToken}\n`));
    return { master, adminToken };
  }
}

const configKeys = [
  'format',
  'fsid',
  'osds',
  's3',
  'admin',
  'osdCapacityBytes',
  'memoryBudgetBytes',
  'gateways',
  'gateway',
] as const;

/** Throws `CliError` naming the key that is wrong. */
export function parseConfig(text: string, path: string): Config {
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch (error) {
    throw new CliError(1, `${path} is not YAML: ${wordsOf(error)}`);
  }
  const fields = recordOf(parsed, path);
  // First: a newer format may have keys that this program does not know.
  requireFormat(fields, path);
  for (const key of Object.keys(fields)) {
    if (configKeys.some((known) => known === key)) continue;
    const near = nearestWord(key, configKeys);
    const hint =
      near === undefined ? `known are ${configKeys.join(', ')}` : `did you mean "${near}"?`;
    throw new CliError(1, `${path}: unknown key "${key}"; ${hint}`);
  }
  const { fsid, osds, s3, admin, osdCapacityBytes, memoryBudgetBytes, gateways } = fields;
  if (typeof fsid !== 'string' || !isUuid(fsid))
    throw new CliError(1, `${path}: fsid: 32 hexadecimal digits are needed`);
  if (!isCount(osds, 1) || osds > osdsMax)
    throw new CliError(1, `${path}: osds: a number from 1 to ${osdsMax} is needed`);
  if (osdCapacityBytes !== undefined && !isCount(osdCapacityBytes, osdCapacityBytesMin))
    throw new CliError(1, `${path}: osdCapacityBytes: at least ${osdCapacityBytesMin} are needed`);
  if (memoryBudgetBytes !== undefined && !isCount(memoryBudgetBytes, memoryBudgetBytesMin))
    throw new CliError(
      1,
      `${path}: memoryBudgetBytes: at least ${memoryBudgetBytesMin} are needed`,
    );
  if (gateways !== undefined && (!isCount(gateways, 1) || gateways > gatewaysMax))
    throw new CliError(1, `${path}: gateways: a number from 1 to ${gatewaysMax} is needed`);
  return {
    fsid,
    osds,
    s3: addressField(s3 ?? defaults.s3, `${path}: s3`),
    admin: addressField(admin ?? defaults.admin, `${path}: admin`),
    osdCapacityBytes,
    memoryBudgetBytes: memoryBudgetBytes ?? memoryBudgetBytesDefault,
    gateways: gateways ?? gatewaysDefault(),
    gateway: parseGatewaySettings(fields.gateway, path),
  };
}

/** Each is a process with a memory budget; a machine with more disks than this has more machines. */
export const osdsMax = 64;

/** Each is a process with a memory budget; more serve no faster than the OSDs behind them. */
export const gatewaysMax = 16;

/** A gateway is busy with one core at most; on fewer than four a second one only takes from the OSDs. */
export function gatewaysDefault(): number {
  return availableParallelism() >= 4 ? 2 : 1;
}

/** Logs and metadata of a few PGs need some room before the first object. */
export const osdCapacityBytesMin = 64 * 1024 * 1024;

function addressField(value: unknown, place: string): string {
  if (typeof value !== 'string' || parseHostPort(value) === undefined)
    throw new CliError(1, `${place}: "${String(value)}" is not host:port`);
  return value;
}

function requireFormat(fields: Readonly<Record<string, unknown>>, path: string): void {
  const { format } = fields;
  if (!isCount(format, 1)) throw new CliError(1, `${path}: it has no format number`);
  if (format > formatVersion)
    throw new CliError(
      1,
      `${path} has format ${format}, this program knows ${formatVersion}: a newer Holdfast wrote it, use that. Nothing was changed`,
    );
}

function isCount(value: unknown, least: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
}

function recordOf(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CliError(1, `${place} does not hold named fields`);
  return value as Readonly<Record<string, unknown>>;
}

/** Those that are none are left out. */
function countsOf(value: unknown, place: string): Readonly<Record<string, number>> {
  const pairs = Object.entries(recordOf(value, place));
  return Object.fromEntries(pairs.filter((pair): pair is [string, number] => isCount(pair[1], 1)));
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(1, `${path} is not JSON: ${wordsOf(error)}`);
  }
}

function readText(path: string): string {
  try {
    return decodeUtf8(readFileSync(path));
  } catch (error) {
    throw new CliError(1, `${path} can't be read: ${wordsOf(error)}`, { cause: error });
  }
}
