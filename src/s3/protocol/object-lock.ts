// Object lock: a bucket's default, and what keeps one version. The index method refuses what a lock forbids; here is only
// what clients say and are told.

import type { BucketConfiguration } from '../index/bucket-documents.ts';
import type { Retention } from '../index/format.ts';
import { formatIsoDate, parseHttpDate, parseIsoDate } from './dates.ts';
import { S3Error } from './errors.ts';
import { type HeaderMap, parseCount } from './request.ts';
import { childrenOf, childText, element, only, parseXml, textElement, xmlDocument } from './xml.ts';
import { checkDocumentShape, text } from './xml-shape.ts';

export interface LockRule {
  readonly mode: Retention['mode'];
  readonly unit: 'Days' | 'Years';
  readonly count: number;
}

export interface ObjectLock {
  /** What an object that says nothing else is kept for. */
  readonly rule: LockRule | undefined;
}

/** S3's own limits. */
const daysMax = 36_500;
const yearsMax = 100;

const dayMs = 86_400_000;

function parseMode(name: string | undefined): Retention['mode'] {
  const mode = name?.trim();
  if (mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE') throw new S3Error('MalformedXML');
  return mode;
}

export function parseObjectLock(body: Uint8Array): ObjectLock {
  const root = parseXml(body, 'ObjectLockConfiguration');
  if (childText(root, 'ObjectLockEnabled')?.trim() !== 'Enabled') throw new S3Error('MalformedXML');
  const [rule] = childrenOf(root, 'Rule');
  if (rule === undefined) return { rule: undefined };
  const [retention] = childrenOf(rule, 'DefaultRetention');
  if (retention === undefined) throw new S3Error('MalformedXML');
  const mode = parseMode(childText(retention, 'Mode'));
  const days = childText(retention, 'Days');
  const years = childText(retention, 'Years');
  if ((days === undefined) === (years === undefined)) throw new S3Error('MalformedXML');
  const unit = days === undefined ? 'Years' : 'Days';
  const count = parseCount((days ?? years ?? '').trim());
  if (count === undefined || count < 1)
    throw new S3Error(
      'InvalidRetentionPeriod',
      'Default retention period must be a positive integer value',
    );
  if (count > (unit === 'Days' ? daysMax : yearsMax))
    throw new S3Error('InvalidRetentionPeriod', 'Default retention period is too large');
  return { rule: { mode, unit, count } };
}

/** As a client puts it. Throws `MalformedXML`. */
export function checkNewObjectLock(body: Uint8Array): void {
  checkDocumentShape(body, 'ObjectLockConfiguration', {
    ObjectLockEnabled: text,
    Rule: { DefaultRetention: { Mode: text, Days: text, Years: text } },
  });
}

export function formatObjectLock({ rule }: ObjectLock): Uint8Array {
  return xmlDocument(
    'ObjectLockConfiguration',
    textElement('ObjectLockEnabled', 'Enabled'),
    rule === undefined
      ? ''
      : element(
          'Rule',
          element(
            'DefaultRetention',
            textElement('Mode', rule.mode),
            textElement(rule.unit, rule.count),
          ),
        ),
  );
}

export function objectLockOf(configuration: BucketConfiguration): ObjectLock | undefined {
  return configuration.parsed('object-lock', parseObjectLock);
}

export function requireObjectLock(configuration: BucketConfiguration): ObjectLock {
  const lock = objectLockOf(configuration);
  if (lock === undefined)
    throw new S3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration');
  return lock;
}

function untilOf(date: string, nowMs: number): number {
  const untilMs = parseIsoDate(date) ?? parseHttpDate(date);
  if (untilMs === undefined)
    throw new S3Error('InvalidArgument', 'The retain until date must be in ISO 8601 format');
  if (untilMs <= nowMs)
    throw new S3Error('InvalidArgument', 'The retain until date must be in the future!');
  return untilMs;
}

export function parseRetention(body: Uint8Array, nowMs: number): Retention | undefined {
  const root = parseXml(body, 'Retention');
  only(root, ['Mode', 'RetainUntilDate']);
  const mode = childText(root, 'Mode');
  const until = childText(root, 'RetainUntilDate')?.trim();
  if (mode === undefined && until === undefined) return undefined;
  if (until === undefined) throw new S3Error('MalformedXML');
  return { mode: parseMode(mode), untilMs: untilOf(until, nowMs) };
}

export function formatRetention({ mode, untilMs }: Retention): Uint8Array {
  return xmlDocument(
    'Retention',
    textElement('Mode', mode),
    textElement('RetainUntilDate', formatIsoDate(untilMs)),
  );
}

export function parseLegalHold(body: Uint8Array): boolean {
  const root = parseXml(body, 'LegalHold');
  only(root, ['Status']);
  const status = childText(root, 'Status')?.trim();
  if (status !== 'ON' && status !== 'OFF') throw new S3Error('MalformedXML');
  return status === 'ON';
}

export function formatLegalHold(on: boolean): Uint8Array {
  return xmlDocument('LegalHold', textElement('Status', on ? 'ON' : 'OFF'));
}

export interface VersionLock {
  readonly retention: Retention | undefined;
  readonly legalHold: boolean | undefined;
}

/** What the bucket keeps a new version for when nothing is said about it. */
export function defaultRetention(
  configuration: BucketConfiguration,
  nowMs: number,
): Retention | undefined {
  const rule = objectLockOf(configuration)?.rule;
  if (rule === undefined) return undefined;
  const days = rule.unit === 'Days' ? rule.count : rule.count * 365;
  return { mode: rule.mode, untilMs: nowMs + days * dayMs };
}

/** What headers say about a new version, whatever is the bucket's default. */
export function lockOfHeaders(
  headers: HeaderMap,
  configuration: BucketConfiguration,
  nowMs: number,
): VersionLock {
  const mode = headers.get('x-amz-object-lock-mode');
  const until = headers.get('x-amz-object-lock-retain-until-date');
  const hold = headers.get('x-amz-object-lock-legal-hold');
  if (mode === undefined && until === undefined && hold === undefined)
    return { retention: undefined, legalHold: undefined };
  requireObjectLock(configuration);
  if ((mode === undefined) !== (until === undefined))
    throw new S3Error(
      'InvalidArgument',
      'x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied',
    );
  if (mode !== undefined && mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE')
    throw new S3Error('InvalidArgument', 'Unknown wormMode directive');
  if (hold !== undefined && hold !== 'ON' && hold !== 'OFF')
    throw new S3Error('InvalidArgument', 'Legal Hold must be either of ON or OFF');
  return {
    retention:
      mode === undefined || until === undefined
        ? undefined
        : { mode, untilMs: untilOf(until, nowMs) },
    legalHold: hold === undefined ? undefined : hold === 'ON',
  };
}

export function lockHeaders({ retention, legalHold }: VersionLock): [string, string][] {
  const headers: [string, string][] = [];
  if (retention !== undefined)
    headers.push(
      ['x-amz-object-lock-mode', retention.mode],
      ['x-amz-object-lock-retain-until-date', formatIsoDate(retention.untilMs)],
    );
  if (legalHold !== undefined)
    headers.push(['x-amz-object-lock-legal-hold', legalHold ? 'ON' : 'OFF']);
  return headers;
}

/** The same with what the bucket keeps versions for by default. A legal hold is independent of that. */
export function lockOfNew(
  headers: HeaderMap,
  configuration: BucketConfiguration,
  nowMs: number,
): VersionLock {
  const { retention, legalHold } = lockOfHeaders(headers, configuration, nowMs);
  return { retention: retention ?? defaultRetention(configuration, nowMs), legalHold };
}
