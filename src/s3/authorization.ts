// Who may do what: each operation names its action, and is let in or not in one place.

import type { User } from '../client/cluster.ts';
import type { Judge } from './index/index-client.ts';
import { S3Error } from './protocol/errors.ts';

/** Actions as policies name them. */
export type Action = `s3:${string}`;

export interface Question {
  readonly action: Action;
  readonly key: string | undefined;
}

/** Only a bucket's owner gets in. */
export function judgeOf(context: { readonly user: User }, _question: Question): Judge {
  return async (_name, { record }) => {
    if (record.owner !== context.user.name) throw new S3Error('AccessDenied');
    return 'granted';
  };
}
