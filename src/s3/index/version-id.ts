// Version ids as clients see them: the name of the call that put the version, 32 hexadecimal digits; `null`
// for what was put while the bucket kept no versions. Opaque to clients, never compared as texts.

import type { Version } from '../../base/method.ts';

export type VersionId = 'null' | Version;

function hexOf(value: number): string {
  return value.toString(16).padStart(16, '0');
}

export function formatVersion(version: Version): string {
  return hexOf(version.tenure) + hexOf(version.sequence);
}

export function versionIdOf(entry: {
  readonly version: Version;
  readonly isNull: boolean;
}): string {
  return entry.isNull ? 'null' : formatVersion(entry.version);
}

/** Undefined for what can't be an id. */
export function parseVersionId(text: string): VersionId | undefined {
  if (text === 'null') return 'null';
  if (!/^[0-9a-f]{32}$/.test(text)) return undefined;
  const tenure = Number.parseInt(text.slice(0, 16), 16);
  const sequence = Number.parseInt(text.slice(16), 16);
  if (!Number.isSafeInteger(tenure) || !Number.isSafeInteger(sequence)) return undefined;
  return { tenure, sequence };
}

export function sameVersion(a: Version, b: Version): boolean {
  return a.tenure === b.tenure && a.sequence === b.sequence;
}
