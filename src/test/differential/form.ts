// A browser's form as a step says it, filled in and signed for one service: keys differ, so do credentials.

import { createHmac } from 'node:crypto';
import { type SigningContext, signingContext, signText } from '../../s3/testing/gateway-suite.ts';

export interface Keys {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** How the form's policy is proved: by a signature of either version, whole or spoilt. */
export type Proof =
  | 'v4'
  | 'v2'
  | 'v4-wrong'
  | 'v2-wrong'
  | 'v4-unknown-key'
  | 'v2-unknown-key'
  | 'v4-without-date'
  | 'v4-without-signature'
  | 'v2-without-signature'
  | 'v4-other-algorithm';

export interface Form {
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Undefined: no part is the file. */
  readonly file: string | undefined;
  readonly fileName: string;
  readonly fileType?: string;
  /** Text of the policy; in it `{credential}` and `{date}` stand for what is signed with. Undefined: nobody signs. */
  readonly policy?: string;
  readonly proof?: Proof;
  /** In place of `multipart/form-data`. */
  readonly contentType?: string;
}

export interface EncodedForm {
  readonly contentType: string;
  readonly body: string;
}

const edge = 'edge-of-the-form';

function proofFields(
  { policy = '', proof = 'v4' }: Form,
  keys: Keys,
  context: SigningContext,
): [string, string][] {
  const isV4 = proof.startsWith('v4');
  const accessKey = proof.endsWith('unknown-key') ? 'NOSUCHKEY' : keys.accessKey;
  const credential = `${accessKey}/${context.scope}`;
  const text = policy.replace('{credential}', credential).replace('{date}', context.amzDate);
  const encoded = Buffer.from(text).toString('base64');
  const signed = proof.endsWith('wrong') ? `${encoded}x` : encoded;
  const fields: [string, string][] = isV4
    ? [
        ['policy', encoded],
        ['x-amz-algorithm', proof === 'v4-other-algorithm' ? 'AWS4-HMAC-SHA1' : 'AWS4-HMAC-SHA256'],
        ['x-amz-credential', credential],
        ['x-amz-date', context.amzDate],
        ['x-amz-signature', signText(context, signed)],
      ]
    : [
        ['AWSAccessKeyId', accessKey],
        ['policy', encoded],
        ['signature', createHmac('sha1', keys.secretKey).update(signed).digest('base64')],
      ];
  const missing = /without-(\w+)$/.exec(proof)?.[1];
  return fields.filter(([name]) => missing === undefined || !name.endsWith(missing));
}

export function encodeForm(form: Form, keys: Keys): EncodedForm {
  const context = signingContext({ name: '', ...keys }, Date.now());
  const fields = [...form.fields];
  if (form.policy !== undefined) fields.push(...proofFields(form, keys, context));
  const parts = fields.map(
    ([name, value]) =>
      `--${edge}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const type = form.fileType === undefined ? '' : `Content-Type: ${form.fileType}\r\n`;
  if (form.file !== undefined)
    parts.push(
      `--${edge}\r\nContent-Disposition: form-data; name="file"; filename="${form.fileName}"\r\n${type}\r\n${form.file}\r\n`,
    );
  return {
    contentType: form.contentType ?? `multipart/form-data; boundary=${edge}`,
    body: `${parts.join('')}--${edge}--\r\n`,
  };
}
