// The error document of S3.

import { encodeUtf8 } from '../base/bytes.ts';
import type { HttpResponse } from '../env/http.ts';
import type { S3Error } from './protocol/errors.ts';
import { textElement, xmlDeclaration } from './protocol/xml.ts';

export interface ErrorPlace {
  readonly method: string;
  /** The path as sent. */
  readonly resource: string;
  readonly requestId: string;
  readonly hostId: string;
}

export function errorElements(error: S3Error, place: ErrorPlace): string {
  const detail = Object.entries(error.detail).map(([name, text]) => textElement(name, text));
  return [
    textElement('Code', error.code),
    textElement('Message', error.message),
    ...detail,
    textElement('Resource', place.resource),
    textElement('RequestId', place.requestId),
    textElement('HostId', place.hostId),
  ].join('');
}

export function errorDocument(error: S3Error, place: ErrorPlace): Uint8Array {
  return encodeUtf8(`${xmlDeclaration}<Error>${errorElements(error, place)}</Error>`);
}

/** Without a body for HEAD and 304. */
export function errorResponse(error: S3Error, place: ErrorPlace): HttpResponse {
  if (error.status === 304) return { status: 304, headers: error.headers };
  const body = errorDocument(error, place);
  const headers = [
    ['content-type', 'application/xml'] as const,
    ...(error.status === 503 ? [['retry-after', '1'] as const] : []),
    ...error.headers,
  ];
  if (place.method === 'HEAD') return { status: error.status, headers };
  return {
    status: error.status,
    headers: [...headers, ['content-length', String(body.length)]],
    body,
  };
}
