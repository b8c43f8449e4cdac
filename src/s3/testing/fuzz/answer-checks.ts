// What holds of every answer, whatever was asked: it can go over the wire, says its length, is well-formed, and
// blames nobody but the client.

import { XMLValidator } from 'fast-xml-parser';
import type { HttpResponse } from '../../../env/http.ts';
import { S3Error, type S3ErrorCode } from '../../protocol/errors.ts';

export interface Answer {
  readonly response: HttpResponse;
  /** Undefined when its reader went away. */
  readonly body: Uint8Array | undefined;
}

function headerFault(response: HttpResponse): string | undefined {
  const seen = new Set<string>();
  for (const [name, value] of response.headers) {
    // A token of RFC 9110, section 5.6.2: metadata is named as whoever put it likes.
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
      return `the header's name ${JSON.stringify(name)}`;
    // What node:http refuses to send, which would break the connection.
    if (!/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value))
      return `the header ${name}: ${JSON.stringify(value)}`;
    if (seen.has(name) && name !== 'vary') return `the header ${name} twice`;
    seen.add(name);
  }
  for (const name of ['x-amz-request-id', 'date', 'server'])
    if (!seen.has(name)) return `no header ${name}`;
  return undefined;
}

function headerOf({ headers }: HttpResponse, name: string): string | undefined {
  return headers.find(([each]) => each === name)?.[1];
}

/** Whether it is an object's bytes, or a website's page: as whoever put them says. */
function isContent(response: HttpResponse): boolean {
  return (
    headerOf(response, 'last-modified') !== undefined || headerOf(response, 'etag') !== undefined
  );
}

function xmlFault(text: string): string | undefined {
  const valid = XMLValidator.validate(text);
  if (valid !== true) return `not well-formed: ${valid.err.msg} in line ${valid.err.line}`;
  // The validator looks at elements only. What stands in a section of raw text, or in a comment, is no reference.
  const read = text.replace(/<!\[CDATA\[.*?\]\]>|<!--.*?-->/gs, '');
  if (/&(?!amp;|lt;|gt;|quot;|apos;|#\d+;|#x[0-9A-Fa-f]+;)/.test(read)) return 'a lone ampersand';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
    return 'a bare control character';
  return undefined;
}

function errorFault(response: HttpResponse, text: string): string | undefined {
  const code = /<Code>([^<]+)<\/Code>/.exec(text)?.[1];
  if (code === undefined) return 'an error without a code';
  if (text.includes('<ErrorResponse')) return undefined;
  const { status } = new S3Error(code as S3ErrorCode);
  return status === response.status
    ? undefined
    : `${code} with ${response.status} instead of ${status}`;
}

/** Undefined when it is as it must be. */
export function answerFault(method: string, { response, body }: Answer): string | undefined {
  const { status } = response;
  // NotImplemented is an answer; everything else from 500 on says that something is wrong with us.
  if (status < 200 || (status >= 500 && status !== 501)) return `status ${status}`;
  const fault = headerFault(response);
  if (fault !== undefined) return fault;
  const bodyless = method === 'HEAD' || status === 204 || status === 304;
  if (bodyless) return (body?.length ?? 0) === 0 ? undefined : `${status} to ${method} with a body`;
  if (body === undefined) return undefined;
  const length = headerOf(response, 'content-length');
  if (length !== undefined && Number(length) !== body.length)
    return `content-length ${length} of ${body.length} bytes`;
  const type = headerOf(response, 'content-type') ?? '';
  if (isContent(response) || !/^(application|text)\/xml/.test(type)) return undefined;
  if (body.length === 0) return undefined;
  const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  return xmlFault(text) ?? (status >= 400 ? errorFault(response, text) : undefined);
}
