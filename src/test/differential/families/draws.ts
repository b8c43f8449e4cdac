// Requests that several families make in the same way.

import type { Draw, Sequence } from '../sequence.ts';
import { copySourceOf } from './objects.ts';

export function ofObject(action: string, method: string): Draw {
  return (s) => ({ action, method, path: s.object() });
}

export const putSmall: Draw = (s) => ({
  ...{ action: 'PutObject', method: 'PUT', path: s.object() },
  body: s.c.bytes(s.c.of([0, 11, 1000])),
});

export const copyAnew: Draw = (s) => ({
  ...{ action: 'CopyObject', method: 'PUT', path: s.object() },
  headers: { 'x-amz-copy-source': copySourceOf(s), 'x-amz-metadata-directive': 'REPLACE' },
});

export const listAll: Draw = (s) => ({
  ...{ action: 'ListObjectsV2', method: 'GET', path: s.bucket(), query: { 'list-type': '2' } },
});

interface Uploads {
  readonly create: Draw;
  readonly put: Draw;
  readonly complete: Draw;
}

/** Uploads in one part each; where none is under way, or has its part, that is made first. */
export function uploadsOf(
  path: (s: Sequence) => string,
  body: (s: Sequence) => Uint8Array,
): Uploads {
  const create: Draw = (s) => ({
    ...{ action: 'CreateMultipartUpload', method: 'POST', path: path(s), query: { uploads: '' } },
  });
  const put: Draw = (s) => {
    const upload = s.upload();
    if (upload === undefined) return create(s);
    const query = { uploadId: `{upload:${upload.name}}`, partNumber: '1' };
    return { action: 'UploadPart', method: 'PUT', path: upload.path, query, body: body(s) };
  };
  const complete: Draw = (s) => {
    const upload = s.upload();
    const etag = upload?.parts.get(1);
    if (upload === undefined || etag === undefined) return put(s);
    return {
      ...{ action: 'CompleteMultipartUpload', method: 'POST', path: upload.path },
      query: { uploadId: `{upload:${upload.name}}` },
      body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`,
    };
  };
  return { create, put, complete };
}
