// What a fuzz learns from answers, to name it in later requests: what exists is worth more than what does not.

import type { User } from '../../../client/cluster.ts';
import type { HttpResponse } from '../../../env/http.ts';
import { alice, bob } from '../gateway-suite.ts';
import type { SessionUser } from '../iam-suite.ts';
import type { Choice } from './choice.ts';

/** Of each kind; the oldest goes. */
const rememberedMax = 24;

export interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly id: string;
}

export interface Part {
  readonly upload: string;
  readonly number: number;
  readonly etag: string;
}

function remember<T>(list: T[], value: T): void {
  list.push(value);
  if (list.length > rememberedMax) list.shift();
}

export class Known {
  readonly etags: string[] = [];
  readonly versionIds: string[] = [];
  uploads: Upload[] = [];
  parts: Part[] = [];
  readonly tokens: string[] = [];
  readonly sessions: SessionUser[] = [];
  readonly iamKeys: User[] = [];

  /** Who signs: mostly who may. */
  signer(c: Choice): User | SessionUser {
    if (c.percent(90)) return alice;
    if (this.sessions.length > 0 && c.percent(25)) return c.of(this.sessions);
    if (this.iamKeys.length > 0 && c.percent(40)) return c.of(this.iamKeys);
    return c.percent(90) ? bob : { name: 'x', accessKey: 'AKNOBODY', secretKey: 'x' };
  }

  /** Reads an answer that went well. */
  learn(
    request: { readonly name: string; readonly bucket: string; readonly key: string },
    response: HttpResponse,
    text: string,
  ): void {
    for (const [name, value] of response.headers) {
      if (name === 'etag') remember(this.etags, value);
      if (name === 'x-amz-version-id') remember(this.versionIds, value);
    }
    const first = (element: string): string | undefined =>
      new RegExp(`<${element}>([^<]+)</${element}>`).exec(text)?.[1];
    const version = first('VersionId');
    if (version !== undefined) remember(this.versionIds, version);
    const token = first('NextContinuationToken') ?? first('NextMarker') ?? first('NextKeyMarker');
    if (token !== undefined) remember(this.tokens, token);
    const { bucket, key } = request;
    const id = request.name === 'POST uploads' ? first('UploadId') : undefined;
    if (id !== undefined) remember(this.uploads, { bucket, key, id });
    const [accessKey, secretKey] = [first('AccessKeyId'), first('SecretAccessKey')];
    if (accessKey === undefined || secretKey === undefined) return;
    const session = first('SessionToken');
    const user = { name: 'x', accessKey, secretKey };
    if (session === undefined) remember(this.iamKeys, user);
    else remember(this.sessions, { ...user, token: session });
  }

  learnPart(part: Part): void {
    remember(this.parts, part);
  }

  /** Completed or given up; now and then it is named all the same. */
  forgetUpload(id: string): void {
    this.uploads = this.uploads.filter((upload) => upload.id !== id);
    this.parts = this.parts.filter((part) => part.upload !== id);
  }
}
