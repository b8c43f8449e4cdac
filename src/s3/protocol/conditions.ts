// Conditional requests. Reads are judged here, at the gateway, on the entry they will serve; writes carry their
// tags to the index method, which judges them on the entry it replaces.

import { parseHttpDate } from './dates.ts';
import { S3Error } from './errors.ts';
import { parseEtags, unquoteEtag } from './etag.ts';
import type { HeaderMap } from './request.ts';

/** Tags without quotes; `*` matches whatever exists. Undefined: no such condition. */
export interface WriteConditions {
  readonly ifMatch: readonly string[] | undefined;
  readonly ifNoneMatch: readonly string[] | undefined;
}

export const unconditional: WriteConditions = { ifMatch: undefined, ifNoneMatch: undefined };

export function parseWriteConditions(headers: HeaderMap): WriteConditions {
  const match = headers.get('if-match');
  const noneMatch = headers.get('if-none-match');
  if (match === undefined && noneMatch === undefined) return unconditional;
  return {
    ifMatch: match === undefined ? undefined : parseEtags(match),
    ifNoneMatch: noneMatch === undefined ? undefined : parseEtags(noneMatch),
  };
}

/** Throws `NotImplemented` by name for a condition that the operation would leave out. */
export function refuseConditions(headers: HeaderMap, names: readonly string[]): void {
  const name = names.find((each) => headers.has(each));
  if (name !== undefined)
    throw new S3Error('NotImplemented', `${name} is not implemented for this operation`);
}

export function matchesEtag(tags: readonly string[], etag: string): boolean {
  return tags.includes('*') || tags.includes(etag);
}

export interface ReadConditionNames {
  readonly ifMatch: string;
  readonly ifNoneMatch: string;
  readonly ifModifiedSince: string;
  readonly ifUnmodifiedSince: string;
}

export const readConditionNames: ReadConditionNames = {
  ifMatch: 'if-match',
  ifNoneMatch: 'if-none-match',
  ifModifiedSince: 'if-modified-since',
  ifUnmodifiedSince: 'if-unmodified-since',
};

export const copyConditionNames: ReadConditionNames = {
  ifMatch: 'x-amz-copy-source-if-match',
  ifNoneMatch: 'x-amz-copy-source-if-none-match',
  ifModifiedSince: 'x-amz-copy-source-if-modified-since',
  ifUnmodifiedSince: 'x-amz-copy-source-if-unmodified-since',
};

export type ReadVerdict = 'serve' | 'not-modified' | 'failed';

/**
 * RFC 9110's order: If-Match decides over If-Unmodified-Since, If-None-Match over If-Modified-Since.
 * Dates have whole seconds; one that can't be read is ignored.
 */
export function judgeRead(
  headers: HeaderMap,
  names: ReadConditionNames,
  entry: { readonly etag: string; readonly wallMs: number },
): ReadVerdict {
  const modifiedMs = Math.floor(entry.wallMs / 1000) * 1000;
  const ifMatch = headers.get(names.ifMatch);
  if (ifMatch !== undefined) {
    if (!matchesEtag(parseEtags(ifMatch), entry.etag)) return 'failed';
  } else {
    const since = parseHttpDate(headers.get(names.ifUnmodifiedSince) ?? '');
    if (since !== undefined && modifiedMs > since) return 'failed';
  }
  const ifNoneMatch = headers.get(names.ifNoneMatch);
  if (ifNoneMatch !== undefined) {
    if (matchesEtag(parseEtags(ifNoneMatch), entry.etag)) return 'not-modified';
  } else {
    const since = parseHttpDate(headers.get(names.ifModifiedSince) ?? '');
    if (since !== undefined && modifiedMs <= since) return 'not-modified';
  }
  return 'serve';
}

/** Whether `If-Range` lets the range be served. */
export function judgeIfRange(
  header: string | undefined,
  entry: { readonly etag: string; readonly wallMs: number },
): boolean {
  if (header === undefined) return true;
  const since = parseHttpDate(header);
  if (since !== undefined) return Math.floor(entry.wallMs / 1000) * 1000 <= since;
  return unquoteEtag(header) === entry.etag;
}
