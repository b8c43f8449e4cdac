// Who sent a request, by whichever of the two signatures it carries, and how its body is to be checked.

import type { User } from '../../client/cluster.ts';
import { S3Error } from './errors.ts';
import { withPresignedHeaders } from './presigned-headers.ts';
import type { S3Request } from './request.ts';
import {
  checkTimeV2,
  isSignedV2,
  parseClaimV2,
  signedPathsV2,
  signV2,
  stringToSignV2,
} from './sigv2.ts';
import {
  type Authenticated,
  type Authenticator,
  authenticateV4,
  equalSecret,
  findUser,
  unsignedPayload,
} from './sigv4.ts';

export interface AuthenticateOptions<U extends User> extends Authenticator<U> {
  readonly signatureV2: boolean;
}

export function refuseV2(): S3Error {
  return new S3Error(
    'InvalidRequest',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
  );
}

function authenticateV2<U extends User>(
  request: S3Request,
  options: AuthenticateOptions<U>,
): Authenticated<U> {
  if (!options.signatureV2) throw refuseV2();
  const claim = parseClaimV2(request);
  const user = findUser(options, claim.accessKey);
  checkTimeV2(claim, request, options.nowMs);
  // Headers in the query are signed as the headers that they stand for; the query itself is not.
  const whole = claim.kind === 'presigned' ? withPresignedHeaders(request) : request;
  for (const path of signedPathsV2(request))
    if (equalSecret(signV2(user, stringToSignV2(whole, claim, path)), claim.signature))
      return { user, payload: unsignedPayload(request.headers) };
  throw new S3Error('SignatureDoesNotMatch', undefined, {
    detail: { AWSAccessKeyId: claim.accessKey },
  });
}

/** What a request of a session carries beside its signature. */
export function sessionTokenOf({ headers, rawQuery, query }: S3Request): string | undefined {
  const token = headers.get('x-amz-security-token');
  if (token !== undefined || rawQuery === '') return token;
  return query.get('X-Amz-Security-Token') ?? query.get('x-amz-security-token');
}

/** Throws the proper error for any flaw. */
export function authenticate<U extends User>(
  request: S3Request,
  options: AuthenticateOptions<U>,
): Authenticated<U> {
  return isSignedV2(request) ? authenticateV2(request, options) : authenticateV4(request, options);
}
