// A bucket's logging configuration: where records of its requests go and how often. Read from XML; kept as XML
// together with when it last changed. `access-log.ts` of the folder above acts on it.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { BucketConfiguration } from '../index/bucket-documents.ts';
import { S3Error } from './errors.ts';
import { parseCount } from './request.ts';
import {
  childText,
  element,
  only,
  onlyChild,
  parseXml,
  textElement,
  type XmlNode,
  xmlDocument,
} from './xml.ts';

/** `simple`: prefix and time; else owner, region, bucket and a day stand between, of the requests or of the delivery. */
export type LogKeyFormat = 'simple' | 'by-event-day' | 'by-delivery-day';

export interface BucketLogging {
  readonly targetBucket: string;
  readonly targetPrefix: string;
  readonly keyFormat: LogKeyFormat;
  /** Of target grants. Not kept: those that would open the logs to others than their owner are refused. */
  readonly grantees: readonly string[];
  /** How long records wait for others; Ceph's extension. Undefined: as long as the gateway's setting says. */
  readonly rollMs: number | undefined;
}

/** To whom grants open the logs: ids of canonical users; empty for anybody else. */
function granteesOf(grants: XmlNode | undefined): readonly string[] {
  if (grants === undefined) return [];
  only(grants, [], ['Grant']);
  return grants.children.map((grant) => {
    only(grant, ['Grantee', 'Permission']);
    const grantee = onlyChild(grant, 'Grantee');
    return (grantee && childText(grantee, 'ID')?.trim()) ?? '';
  });
}

export interface KeptLogging extends BucketLogging {
  readonly changedMs: number;
}

/** In bytes: what else a log object's key may hold (owner, region, bucket, dates, name) is below 500. */
const prefixBytesMax = 512;

const rollSecondsMax = 86_400;

const root = 'BucketLoggingStatus';

const known = new Set([
  'TargetBucket',
  'TargetPrefix',
  'TargetGrants',
  'TargetObjectKeyFormat',
  'LoggingType',
  'ObjectRollTime',
  'RecordsBatchSize',
]);

function parseKeyFormat(node: XmlNode | undefined): LogKeyFormat {
  if (node === undefined) return 'simple';
  const [chosen, ...others] = node.children;
  if (chosen === undefined || others.length > 0) throw new S3Error('MalformedXML');
  if (chosen.name === 'SimplePrefix') return 'simple';
  if (chosen.name !== 'PartitionedPrefix') throw new S3Error('MalformedXML');
  const source = childText(chosen, 'PartitionDateSource')?.trim() ?? 'DeliveryTime';
  if (source === 'EventTime') return 'by-event-day';
  if (source === 'DeliveryTime') return 'by-delivery-day';
  throw new S3Error('MalformedXML');
}

/** What of Ceph's extensions would change what is logged is refused by name, never left out without a word. */
function refuseExtensions(enabled: XmlNode): void {
  const type = childText(enabled, 'LoggingType')?.trim() ?? 'Standard';
  if (type === 'Journal') throw new S3Error('NotImplemented', 'LoggingType Journal');
  if (type !== 'Standard') throw new S3Error('MalformedXML');
  const batch = childText(enabled, 'RecordsBatchSize')?.trim() ?? '0';
  if (parseCount(batch) === undefined) throw new S3Error('MalformedXML');
  if (batch !== '0') throw new S3Error('NotImplemented', 'RecordsBatchSize');
  if (onlyChild(enabled, 'Filter') !== undefined) throw new S3Error('NotImplemented', 'Filter');
}

function parseEnabled(enabled: XmlNode): BucketLogging {
  refuseExtensions(enabled);
  if (enabled.children.some(({ name }) => !known.has(name))) throw new S3Error('MalformedXML');
  const targetBucket = childText(enabled, 'TargetBucket') ?? '';
  const targetPrefix = childText(enabled, 'TargetPrefix');
  if (targetBucket === '' || targetPrefix === undefined) throw new S3Error('MalformedXML');
  if (encodeUtf8(targetPrefix).length > prefixBytesMax)
    throw new S3Error('InvalidArgument', `TargetPrefix has at most ${prefixBytesMax} bytes`);
  const roll = childText(enabled, 'ObjectRollTime')?.trim();
  const rollSeconds = roll === undefined ? undefined : parseCount(roll);
  const isRoll = rollSeconds !== undefined && rollSeconds >= 1 && rollSeconds <= rollSecondsMax;
  if (roll !== undefined && !isRoll) throw new S3Error('MalformedXML');
  return {
    targetBucket,
    targetPrefix,
    grantees: granteesOf(onlyChild(enabled, 'TargetGrants')),
    keyFormat: parseKeyFormat(onlyChild(enabled, 'TargetObjectKeyFormat')),
    rollMs: rollSeconds === undefined ? undefined : rollSeconds * 1000,
  };
}

/** Undefined: logging is to end. Throws `MalformedXML`, `InvalidArgument`, `NotImplemented` by name. */
export function parseBucketLogging(body: Uint8Array): BucketLogging | undefined {
  const document = parseXml(body, root);
  if (document.children.some(({ name }) => name !== 'LoggingEnabled'))
    throw new S3Error('MalformedXML');
  const enabled = onlyChild(document, 'LoggingEnabled');
  return enabled === undefined ? undefined : parseEnabled(enabled);
}

const keyFormats: Readonly<Record<LogKeyFormat, string>> = {
  simple: '<SimplePrefix/>',
  'by-event-day': element('PartitionedPrefix', textElement('PartitionDateSource', 'EventTime')),
  'by-delivery-day': element(
    'PartitionedPrefix',
    textElement('PartitionDateSource', 'DeliveryTime'),
  ),
};

function enabledElement(logging: BucketLogging): string {
  const { rollMs } = logging;
  return element(
    'LoggingEnabled',
    textElement('TargetBucket', logging.targetBucket),
    textElement('TargetPrefix', logging.targetPrefix),
    // Ceph's, told to those alone who put one of them.
    rollMs === undefined
      ? ''
      : textElement('LoggingType', 'Standard') +
          textElement('ObjectRollTime', rollMs / 1000) +
          textElement('RecordsBatchSize', 0),
    element('TargetObjectKeyFormat', keyFormats[logging.keyFormat]),
  );
}

/** As clients read it. */
export function formatBucketLogging(logging: BucketLogging | undefined): Uint8Array {
  return xmlDocument(root, logging === undefined ? '' : enabledElement(logging));
}

export function formatKeptLogging(logging: KeptLogging): Uint8Array {
  return xmlDocument(root, textElement('ChangedMs', logging.changedMs), enabledElement(logging));
}

function parseKeptLogging(body: Uint8Array): KeptLogging {
  const document = parseXml(body, root);
  const enabled = onlyChild(document, 'LoggingEnabled');
  const changedMs = parseCount(childText(document, 'ChangedMs') ?? '');
  if (enabled === undefined || changedMs === undefined) throw new S3Error('MalformedXML');
  return { ...parseEnabled(enabled), changedMs };
}

/** Throws `S3Error` where a newer gateway put what is not understood here. */
export function bucketLoggingOf(configuration: BucketConfiguration): KeptLogging | undefined {
  return configuration.parsed('logging', parseKeptLogging);
}
