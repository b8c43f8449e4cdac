// Headers in the query of a presigned request. SDKs that presign put every `x-amz-*` header there, where the
// signature covers it: it means what the header means, so that a copy does not become an upload of nothing.

import { checksumAlgorithms } from './checksum-names.ts';
import { checksumHeader, startChecksum } from './checksums.ts';
import { S3Error } from './errors.ts';
import { headerValue, type S3Request } from './request.ts';
import { isSignedV2 } from './sigv2.ts';

const prefix = 'x-amz-';

/** What the signature itself is made of, or reads where it stands. */
const ofSignature = new Set([
  'x-amz-algorithm',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
]);

/**
 * Of no bytes, by header. The SDK for JavaScript writes it into the URL of an upload whose body it does not know, and S3
 * does not look at it ("presigned URLs don't support using" these checksums, its user guide says); others are proved.
 */
const ofNothing: ReadonlyMap<string, string> = new Map(
  checksumAlgorithms.map((each) => [checksumHeader(each), startChecksum(each).digest()]),
);

function isPresigned(request: S3Request): boolean {
  const { headers, query } = request;
  if (headers.has('authorization')) return false;
  return query.has('X-Amz-Algorithm') || query.has('X-Amz-Signature') || isSignedV2(request);
}

/**
 * The request with its headers whole. Whether its signature holds is for who calls this to know: before, nothing of
 * it may be believed. Throws `InvalidArgument` for a header that is in both places and differs, and in a request that is not
 * presigned for any.
 */
export function withPresignedHeaders(request: S3Request): S3Request {
  if (request.rawQuery === '') return request;
  let headers: Map<string, string> | undefined;
  for (const [name, text] of request.query) {
    const lower = name.toLowerCase();
    if (!lower.startsWith(prefix) || ofSignature.has(lower)) continue;
    if (!isPresigned(request))
      throw new S3Error(
        'InvalidArgument',
        `${lower.slice(0, 100)} may stand in the query of a presigned request only: send it as a header`,
      );
    const value = headerValue(text.trim());
    if (ofNothing.get(lower) === value && !isSignedV2(request)) continue;
    headers ??= new Map(request.headers);
    const there = headers.get(lower);
    if (there !== undefined && there !== value)
      throw new S3Error(
        'InvalidArgument',
        `${lower.slice(0, 100)} stands in the request twice, with different values`,
      );
    headers.set(lower, value);
  }
  return headers === undefined ? request : { ...request, headers };
}
