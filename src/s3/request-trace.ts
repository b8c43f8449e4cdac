// What becomes known about a request on its way through the gateway, for its bucket's access log. It decides nothing.

import type { Instant } from '../env/clock.ts';
import type { Requester } from './iam/identities.ts';
import type { BucketAccess } from './index/index-client.ts';

/** One key of a request that removes many. */
export interface DeletedKey {
  readonly key: string;
  readonly versionId: string | undefined;
  readonly error: { readonly status: number; readonly code: string } | undefined;
}

export class RequestTrace {
  readonly beganAt: Instant;
  readonly wallMs: number;
  /** Undefined until the signature was found to be good. */
  user: Requester | undefined;
  /** Undefined when the request was not let in. */
  access: BucketAccess | undefined;
  /** Where the body names it, as a form's does, and not the request. */
  key: string | undefined;
  /** Nothing but an access list let it in. */
  aclRequired = false;
  /** Its sender pays for it, if it is let in. */
  isCharged = false;
  /** Also of a failure that stands in an answer whose status was sent before. */
  errorCode: string | undefined;
  deleted: DeletedKey[] = [];

  constructor(beganAt: Instant, wallMs: number) {
    this.beganAt = beganAt;
    this.wallMs = wallMs;
  }
}
