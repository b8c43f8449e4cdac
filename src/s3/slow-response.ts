// Answers of operations that may take minutes (copies, large completions). After a few seconds the
// response begins and spaces keep the connection alive, as AWS does; a failure then stands in a 200.

import { encodeUtf8 } from '../base/bytes.ts';
import type { BodySource, HttpResponse } from '../env/http.ts';
import { type OperationContext, xmlResponse } from './context.ts';
import { errorElements } from './error-response.ts';
import { s3ErrorOf } from './protocol/errors.ts';
import { xmlDeclaration } from './protocol/xml.ts';

/** Clients and proxies give up after 60 s of silence, some after 30. */
const silenceMsMax = 5_000;

/** Headers that come too late, because the response has begun, are left out. */
export interface SlowAnswer {
  /** Whole, with its declaration. */
  readonly document: Uint8Array;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export async function answerWhenDone(
  context: OperationContext,
  work: Promise<SlowAnswer>,
): Promise<HttpResponse> {
  const { clock } = context.parts.env;
  const settled = work.then(
    () => 'settled' as const,
    () => 'settled' as const,
  );
  const wait = async (): Promise<'settled' | 'silent'> => {
    let cancel = (): void => {};
    const silence = new Promise<'silent'>((resolve) => {
      const timer = clock.after(silenceMsMax, 's3-slow-response', () => resolve('silent'));
      cancel = () => timer.cancel();
    });
    const outcome = await Promise.race([settled, silence]);
    cancel();
    return outcome;
  };
  if ((await wait()) === 'settled') {
    const { document, headers } = await work;
    return xmlResponse(document, headers);
  }
  let state: 'begin' | 'waiting' | 'ended' = 'begin';
  const body: BodySource = {
    next: async () => {
      if (state === 'ended') return undefined;
      if (state === 'begin') {
        state = 'waiting';
        return encodeUtf8(xmlDeclaration);
      }
      if ((await wait()) === 'silent') return encodeUtf8(' ');
      state = 'ended';
      return rest(context, work);
    },
  };
  return { status: 200, headers: [['content-type', 'application/xml']], body };
}

/** The document without its declaration, which was sent. */
async function rest(context: OperationContext, work: Promise<SlowAnswer>): Promise<Uint8Array> {
  try {
    return (await work).document.subarray(xmlDeclaration.length);
  } catch (error) {
    const { request, parts, requestId, trace } = context;
    const known = s3ErrorOf(error);
    if (trace !== undefined) trace.errorCode = known.code;
    const elements = errorElements(known, {
      method: request.method,
      resource: request.rawPath,
      requestId,
      hostId: parts.hostId,
    });
    return encodeUtf8(`<Error>${elements}</Error>`);
  }
}
