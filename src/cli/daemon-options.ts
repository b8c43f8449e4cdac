// What a daemon is told when it starts, and what it tells back. Plain values, because they travel between
// processes; by message and never as arguments, which every user of the machine can read.

import type { DaemonState } from '../admin/control.ts';
import { assert } from '../base/assert.ts';
import { parseHex } from '../base/bytes.ts';
import type { PgId, Uuid } from '../base/ids.ts';
import type { Address } from '../env/network.ts';
import type { DeviceClass } from '../map/cluster-map.ts';
import type { SiblingNews } from '../s3/siblings.ts';
import type { GatewaySettings } from './gateway-settings.ts';

interface CommonOptions {
  /** The cluster's directory. */
  readonly dataDir: string;
  readonly fsid: Uuid;
  readonly uuid: Uuid;
  readonly listen: Address;
}

export interface MonLocation {
  readonly address: Address;
  readonly uuid: Uuid;
}

export interface MonDaemonOptions extends CommonOptions {
  readonly role: 'mon';
  readonly masterKeyHex: string;
  readonly admin: Address;
  readonly adminToken: string;
  readonly notes: readonly string[];
}

export interface OsdDaemonOptions extends CommonOptions {
  readonly role: 'osd';
  readonly osd: number;
  readonly keyHex: string;
  readonly mon: MonLocation;
  readonly capacityBytes: number;
  readonly memoryBudgetBytes: number;
}

export interface S3DaemonOptions extends CommonOptions {
  readonly role: 's3';
  readonly id: number;
  readonly keyHex: string;
  readonly mon: MonLocation;
  readonly memoryBudgetBytes: number;
  readonly settings: GatewaySettings;
}

export type DaemonOptions = MonDaemonOptions | OsdDaemonOptions | S3DaemonOptions;

export interface DaemonReport {
  readonly address: Address;
  /** Of the admin API; the mon's only. */
  readonly admin?: Address;
}

/** Why a daemon could not start. */
export interface DaemonFailure {
  readonly reason: string;
  /** Trying again changes nothing: the disk can't be read, or is not the one. */
  readonly isPermanent: boolean;
}

/** What a daemon may ask of its supervisor. */
export type SupervisorQuestion =
  | { readonly kind: 'start-osd'; readonly osd: number }
  | { readonly kind: 'stop-osd'; readonly osd: number }
  /** Starts it again with a placement group that was left out after crashes. */
  | { readonly kind: 'let-in'; readonly osd: number; readonly pg: PgId }
  /** One more on this machine. */
  | { readonly kind: 'add-osd'; readonly deviceClass: DeviceClass | undefined }
  /** Erases its disk; it must not run. */
  | { readonly kind: 'wipe-osd'; readonly osd: number }
  /** Of a gateway: the others on this machine act on it when this is answered, or can't be reached. */
  | { readonly kind: 'tell-gateways'; readonly news: SiblingNews }
  | { readonly kind: 'daemons' };

export type SupervisorAnswer =
  | { readonly kind: 'done'; readonly daemons: readonly DaemonState[] }
  | { readonly kind: 'added'; readonly osd: number }
  | { readonly kind: 'refused'; readonly reason: string };

export type MessageToDaemon =
  | { readonly kind: 'start'; readonly options: DaemonOptions }
  | { readonly kind: 'stop' }
  | { readonly kind: 'hear'; readonly id: number; readonly news: SiblingNews }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: SupervisorAnswer };

export type MessageToSupervisor =
  /** The first: what is sent to a process before it listens can be lost. */
  | { readonly kind: 'listens' }
  | { readonly kind: 'started'; readonly report: DaemonReport }
  | { readonly kind: 'failed'; readonly failure: DaemonFailure }
  | { readonly kind: 'heard'; readonly id: number }
  | { readonly kind: 'ask'; readonly id: number; readonly question: SupervisorQuestion };

export function daemonName(options: DaemonOptions): string {
  switch (options.role) {
    case 'mon':
      return 'mon.0';
    case 'osd':
      return `osd.${options.osd}`;
    case 's3':
      return `s3.${options.id}`;
  }
}

export function keyFromHex(hex: string): Uint8Array {
  const key = parseHex(hex);
  assert(key !== undefined && key.length > 0, 'the supervisor writes keys in hexadecimal');
  return key;
}
