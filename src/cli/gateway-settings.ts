// The key `gateway` of holdfast.yaml: what an operator may say about S3. Times are seconds.

import { type WebhookReach, webhookReaches } from '../s3/protocol/webhook.ts';
import { shardEntriesBounds } from '../s3/split-job.ts';
import { CliError } from './errors.ts';
import { nearestWord } from './nearest.ts';

export interface GatewaySettings {
  /** Names under which `bucket.NAME` addresses a bucket. */
  readonly hostNames?: readonly string[];
  /** Names under which `bucket.NAME` is the bucket's website. */
  readonly websiteNames?: readonly string[];
  /** Whether signatures of version 2 are accepted beside those of version 4. */
  readonly signatureV2?: boolean;
  /** Names of storage classes to accept beside `STANDARD`; all mean the same here. */
  readonly storageClasses?: readonly string[];
  /** Ids of keys for SSE-KMS; each is made when it is first named. */
  readonly kmsKeys?: readonly string[];
  /** What lifecycle rules take for a day: less than 86,400 only to see rules work. */
  readonly lifecycleDayMs?: number;
  /** Between two rounds of lifecycle rules. */
  readonly lifecycleIntervalMs?: number;
  /** How long records of bucket logging wait for others before they are delivered. */
  readonly loggingRollMs?: number;
  /** Entries of an index shard from which on it is split. */
  readonly shardEntriesMax?: number;
  /** Which addresses webhooks of topics may have. */
  readonly webhooks?: WebhookReach;
  /** How long an event is tried where its topic does not say. */
  readonly notificationKeptMs?: number;
}

const keys = [
  'hostNames',
  'websiteNames',
  'signatureV2',
  'storageClasses',
  'kmsKeys',
  'lifecycleDaySeconds',
  'lifecycleIntervalSeconds',
  'loggingRollSeconds',
  'shardEntriesMax',
  'webhooks',
  'notificationKeptSeconds',
] as const;

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_/.:-]{0,127}$/;

function namesOf(value: unknown, place: string): readonly string[] {
  if (!Array.isArray(value) || value.length > 100)
    throw new CliError(1, `${place}: a list of at most 100 names is needed`);
  return value.map((name: unknown) => {
    if (typeof name !== 'string' || !namePattern.test(name))
      throw new CliError(1, `${place}: "${String(name)}" is no name`);
    return name;
  });
}

function hostsOf(value: unknown, place: string): readonly string[] {
  const names = namesOf(value, place);
  for (const name of names)
    if (!/^[A-Za-z0-9.-]+$/.test(name)) throw new CliError(1, `${place}: "${name}" is no host`);
  return names;
}

function millisecondsOf(value: unknown, place: string): number {
  if (typeof value !== 'number' || !(value >= 1 && value <= 86_400))
    throw new CliError(1, `${place}: seconds from 1 to 86400 are needed`);
  return Math.floor(value * 1000);
}

function shardEntriesOf(value: unknown, place: string): number {
  const { min, max } = shardEntriesBounds;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
    throw new CliError(1, `${place}: a whole number from ${min} to ${max} is needed`);
  return value;
}

function reachOf(value: unknown, place: string): WebhookReach {
  const reach = webhookReaches.find((each) => each === value);
  if (reach === undefined)
    throw new CliError(1, `${place}: one of ${webhookReaches.join(', ')} is needed`);
  return reach;
}

/** Up to 14 days, as topics may say. */
function keptOf(value: unknown, place: string): number {
  if (typeof value !== 'number' || !(value >= 1 && value <= 14 * 86_400))
    throw new CliError(1, `${place}: seconds from 1 to ${14 * 86_400} are needed`);
  return Math.floor(value * 1000);
}

/** Throws `CliError` naming the key that is wrong. */
export function parseGatewaySettings(value: unknown, path: string): GatewaySettings {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CliError(1, `${path}: gateway: keys are needed`);
  let settings: GatewaySettings = {};
  for (const [key, field] of Object.entries(value)) {
    const place = `${path}: gateway.${key}`;
    switch (key) {
      case 'signatureV2':
        if (typeof field !== 'boolean') throw new CliError(1, `${place}: true or false is needed`);
        settings = { ...settings, signatureV2: field };
        break;
      case 'storageClasses':
        settings = { ...settings, storageClasses: ['STANDARD', ...namesOf(field, place)] };
        break;
      case 'hostNames':
        settings = { ...settings, hostNames: hostsOf(field, place) };
        break;
      case 'websiteNames':
        settings = { ...settings, websiteNames: hostsOf(field, place) };
        break;
      case 'kmsKeys':
        settings = { ...settings, kmsKeys: namesOf(field, place) };
        break;
      case 'lifecycleDaySeconds':
        settings = { ...settings, lifecycleDayMs: millisecondsOf(field, place) };
        break;
      case 'lifecycleIntervalSeconds':
        settings = { ...settings, lifecycleIntervalMs: millisecondsOf(field, place) };
        break;
      case 'loggingRollSeconds':
        settings = { ...settings, loggingRollMs: millisecondsOf(field, place) };
        break;
      case 'shardEntriesMax':
        settings = { ...settings, shardEntriesMax: shardEntriesOf(field, place) };
        break;
      case 'webhooks':
        settings = { ...settings, webhooks: reachOf(field, place) };
        break;
      case 'notificationKeptSeconds':
        settings = { ...settings, notificationKeptMs: keptOf(field, place) };
        break;
      default: {
        const near = nearestWord(key, keys);
        const hint =
          near === undefined ? `known are ${keys.join(', ')}` : `did you mean "${near}"?`;
        throw new CliError(1, `${place} is not known; ${hint}`);
      }
    }
  }
  return settings;
}
