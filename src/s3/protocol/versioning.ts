// Whether a bucket keeps versions: its document `versioning`, which is what GetBucketVersioning answers.

import type { BucketConfiguration } from '../index/bucket-documents.ts';
import type { Versioning } from '../index/key-versions.ts';
import { S3Error } from './errors.ts';
import { childText, parseXml, textElement, xmlDocument } from './xml.ts';
import { checkDocumentShape, text } from './xml-shape.ts';

/** Throws `MalformedXML`, and `NotImplemented` for what would ask for a second factor. */
export function parseVersioning(body: Uint8Array): 'enabled' | 'suspended' {
  const root = parseXml(body, 'VersioningConfiguration');
  const mfaDelete = childText(root, 'MfaDelete')?.trim();
  if (mfaDelete === 'Enabled') throw new S3Error('NotImplemented', 'MFA delete is not implemented');
  if (mfaDelete !== undefined && mfaDelete !== 'Disabled') throw new S3Error('MalformedXML');
  switch (childText(root, 'Status')?.trim()) {
    case 'Enabled':
      return 'enabled';
    case 'Suspended':
      return 'suspended';
    default:
      throw new S3Error('MalformedXML');
  }
}

/** As a client puts it. Throws `MalformedXML`. */
export function checkNewVersioning(body: Uint8Array): void {
  checkDocumentShape(body, 'VersioningConfiguration', { Status: text, MfaDelete: text });
}

export function formatVersioning(versioning: Versioning): Uint8Array {
  if (versioning === 'off') return xmlDocument('VersioningConfiguration');
  return xmlDocument(
    'VersioningConfiguration',
    textElement('Status', versioning === 'enabled' ? 'Enabled' : 'Suspended'),
  );
}

export function versioningOf(configuration: BucketConfiguration): Versioning {
  return configuration.parsed('versioning', parseVersioning) ?? 'off';
}
