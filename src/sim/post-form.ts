// Forms as browsers post them: fields, among them a signed policy that says what the fields may be, and the file last. One
// of three is not what its policy allows, and must be refused.

import { concatBytes, decodeUtf8, encodeUtf8 } from '../base/bytes.ts';
import type { HttpRequest } from '../env/http.ts';
import type { Random } from '../env/random.ts';
import { formatBase64 } from '../s3/protocol/base64.ts';
import { formatIsoDate } from '../s3/protocol/dates.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { elementOf, oneOf } from './s3-bucket.ts';
import { firstUser, signText } from './s3-request.ts';
import { etagOf, headerOf } from './s3-values.ts';

/** What is wrong with a form, and how S3 calls it. */
const codeOfFlaw = {
  expired: 'AccessDenied',
  'other key': 'AccessDenied',
  'other prefix': 'AccessDenied',
  'other bucket': 'AccessDenied',
  'no bucket': 'AccessDenied',
  'unspoken field': 'AccessDenied',
  'no policy': 'AccessDenied',
  'too large': 'EntityTooLarge',
  'too small': 'EntityTooSmall',
  'wrong signature': 'SignatureDoesNotMatch',
} as const;

export type Flaw = keyof typeof codeOfFlaw;

const flaws = Object.keys(codeOfFlaw) as readonly Flaw[];

/** As `success_action_status` asks for it, or `success_action_redirect`. */
const statusOfAnswer = { '': 204, '200': 200, '201': 201, '204': 204, redirect: 303 } as const;

type Answer = keyof typeof statusOfAnswer;

const answers = Object.keys(statusOfAnswer) as readonly Answer[];

export interface PostForm {
  readonly bucket: string;
  readonly key: string;
  readonly body: Uint8Array;
  readonly flaw: Flaw | undefined;
  readonly answer: Answer;
  /** The last part of the key is what the file is called. */
  readonly isNamedByFile: boolean;
  /** The body comes in pieces of so many bytes. */
  readonly pieceBytes: number;
}

export function drawForm(
  random: Random,
  object: Pick<PostForm, 'bucket' | 'key' | 'body'>,
): PostForm {
  const { length } = object.body;
  const flaw = random.below(3) === 0 ? oneOf(random, flaws) : undefined;
  return {
    ...object,
    // Nothing is smaller than an empty file.
    flaw: flaw === 'too large' && length === 0 ? 'too small' : flaw,
    answer: oneOf(random, answers),
    isNamedByFile: random.below(3) === 0,
    pieceBytes: 100 + random.below(2 * length + 2000),
  };
}

/** What the file's own name stands in for. */
const fileNamePlace = `$${'{filename}'}`;

const algorithm = 'AWS4-HMAC-SHA256';
const boundary = 'edge-of-the-form';
const redirectTarget = 'http://elsewhere.example/done';
const anHourMs = 3_600_000;

function conditionsOf({ bucket, key, body, flaw, answer }: PostForm): readonly unknown[] {
  const { length } = body;
  const [least, most] =
    flaw === 'too large'
      ? [0, length - 1]
      : flaw === 'too small'
        ? [length + 1, length + 2]
        : [0, length];
  const conditions: unknown[] = [
    ['starts-with', '$Content-Type', ''],
    ['content-length-range', least, most],
    { 'x-amz-algorithm': algorithm },
    ['starts-with', '$x-amz-credential', `${firstUser.accessKey}/`],
    ['starts-with', '$x-amz-date', ''],
  ];
  if (flaw !== 'no bucket')
    conditions.push({ bucket: flaw === 'other bucket' ? `${bucket}s` : bucket });
  if (flaw === 'other key') conditions.push(['eq', '$key', `${key}s`]);
  else if (flaw === 'other prefix') conditions.push(['starts-with', '$key', 'others/']);
  else conditions.push(length % 2 === 0 ? { key } : ['starts-with', '$key', key.slice(0, 2)]);
  if (answer === 'redirect') conditions.push({ success_action_redirect: redirectTarget });
  else if (answer !== '') conditions.push({ success_action_status: answer });
  return conditions;
}

function fieldsOf(form: PostForm, wallMs: number): readonly (readonly [string, string])[] {
  const { key, flaw, answer } = form;
  const slash = key.lastIndexOf('/') + 1;
  const fields: [string, string][] = [
    ['key', form.isNamedByFile ? key.slice(0, slash) + fileNamePlace : key],
    ['Content-Type', 'text/plain'],
  ];
  if (answer === 'redirect') fields.push(['success_action_redirect', redirectTarget]);
  else if (answer !== '') fields.push(['success_action_status', answer]);
  if (flaw === 'unspoken field') fields.push(['x-amz-meta-own', 'words']);
  if (flaw === 'no policy') return fields;
  const expiration = formatIsoDate(wallMs + (flaw === 'expired' ? -1000 : anHourMs));
  const document = JSON.stringify({ expiration, conditions: conditionsOf(form) });
  const policy = formatBase64(encodeUtf8(document));
  const secretKey = flaw === 'wrong signature' ? 'guessed' : firstUser.secretKey;
  const signed = signText({ ...firstUser, secretKey }, wallMs, policy);
  fields.push(
    ['policy', policy],
    ['x-amz-algorithm', algorithm],
    ['x-amz-credential', signed.credential],
    ['x-amz-date', signed.amzDate],
    ['x-amz-signature', signed.signature],
  );
  return fields;
}

export function formRequest(form: PostForm, wallMs: number): HttpRequest {
  const part = (name: string, more = ''): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
  const head = fieldsOf(form, wallMs).map(([name, value]) => `${part(name)}${value}\r\n`);
  const fileName = form.isNamedByFile ? form.key.slice(form.key.lastIndexOf('/') + 1) : 'x';
  const body = concatBytes([
    encodeUtf8(head.join('') + part('file', `; filename="${fileName}"`)),
    form.body,
    encodeUtf8(`\r\n--${boundary}--\r\n`),
  ]);
  let at = 0;
  return {
    method: 'POST',
    target: `/${form.bucket}`,
    headers: [
      ['host', 'localhost'],
      ['content-type', `multipart/form-data; boundary=${boundary}`],
      ['content-length', String(body.length)],
    ],
    body: {
      next: async () => {
        if (at >= body.length) return undefined;
        // The gateway may keep what it is given: a copy.
        const piece = body.slice(at, at + form.pieceBytes);
        at += piece.length;
        return piece;
      },
    },
    remote: 'client:1',
  };
}

/** What is wrong with the answer to a form whose file has that ETag; undefined: nothing. Failures are no answers. */
export function faultOfAnswer(
  { flaw, answer: asked, key, bucket }: PostForm,
  etag: string,
  answer: WholeResponse,
): string | undefined {
  const code = elementOf(answer, 'Code');
  if (flaw !== undefined) {
    if (code === codeOfFlaw[flaw]) return undefined;
    return `a form with ${flaw} was answered ${answer.status} ${code ?? ''}`;
  }
  if (answer.status !== statusOfAnswer[asked])
    return `a form that asks for ${asked} was answered ${answer.status} ${decodeUtf8(answer.body)}`;
  if (etagOf(answer) !== etag) return `a form's file has ETag ${etagOf(answer)}, not ${etag}`;
  const told = elementOf(answer, 'Key');
  if (asked === '201' && (told !== key || elementOf(answer, 'Bucket') !== bucket))
    return `a form's answer names ${told}, not ${key}`;
  const location = headerOf(answer, 'location');
  if (asked === 'redirect' && !location.startsWith(`${redirectTarget}?bucket=${bucket}&key=`))
    return `a form is sent on to ${location}`;
  return undefined;
}
