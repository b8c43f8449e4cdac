// The policy of a browser's form: what its fields may be, signed by who let the form be made. Every field must be spoken
// of, and the bucket, or a form made for one would do for all.

import { parseBase64 } from './base64.ts';
import { parseIsoDate } from './dates.ts';
import { S3Error } from './errors.ts';
import { decodeStrictUtf8 } from './percent.ts';

/** Fields that prove or carry the form. */
const unspoken = new Set(['file', 'policy', 'x-amz-signature', 'awsaccesskeyid', 'signature']);

type Condition =
  | { readonly kind: 'eq' | 'starts-with'; readonly field: string; readonly value: string }
  | { readonly kind: 'range'; readonly minBytes: number; readonly maxBytes: number };

export interface PostPolicy {
  readonly expiresMs: number;
  readonly conditions: readonly Condition[];
}

function invalid(words: string): S3Error {
  return new S3Error('InvalidPolicyDocument', `Invalid Policy: ${words}`);
}

function parseCondition(value: unknown): readonly Condition[] {
  if (Array.isArray(value)) {
    const [kindValue, a, b, ...more] = value as readonly unknown[];
    const kind = typeof kindValue === 'string' ? kindValue.toLowerCase() : '';
    if (more.length > 0 || b === undefined) throw invalid('a condition has three parts');
    if (kind === 'content-length-range') {
      const [min, max] = [Number(a), Number(b)];
      if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || min < 0 || max < min)
        throw invalid('content-length-range needs two sizes');
      return [{ kind: 'range', minBytes: min, maxBytes: max }];
    }
    if ((kind !== 'eq' && kind !== 'starts-with') || typeof a !== 'string' || typeof b !== 'string')
      throw invalid('unknown condition');
    if (!a.startsWith('$')) throw invalid('a field is named with $');
    return [{ kind, field: a.slice(1).toLowerCase(), value: b }];
  }
  if (typeof value !== 'object' || value === null) throw invalid('unknown condition');
  const fields = Object.entries(value);
  if (fields.length === 0) throw invalid('an empty condition');
  return fields.map(([field, wanted]: [string, unknown]) => {
    if (typeof wanted !== 'string') throw invalid('a value must be text');
    return { kind: 'eq', field: field.toLowerCase(), value: wanted };
  });
}

/** From the form's field, base64 of JSON. Throws `InvalidPolicyDocument`. */
export function parsePostPolicy(text: string): PostPolicy {
  let value: unknown;
  try {
    value = JSON.parse(decodeStrictUtf8(parseBase64(text) ?? new Uint8Array(0)) ?? '');
  } catch {
    throw invalid('it is not JSON in base64');
  }
  if (typeof value !== 'object' || value === null) throw invalid('it is no object');
  const { expiration, conditions } = value as Readonly<Record<string, unknown>>;
  const expiresMs = typeof expiration === 'string' ? parseIsoDate(expiration) : undefined;
  if (expiresMs === undefined) throw invalid('it has no expiration');
  if (!Array.isArray(conditions)) throw invalid('it has no conditions');
  return { expiresMs, conditions: conditions.flatMap(parseCondition) };
}

/** `fields` has `bucket` as well. Throws `AccessDenied`. Sizes are judged when the file has been read. */
export function checkPostPolicy(
  policy: PostPolicy,
  fields: ReadonlyMap<string, string>,
  nowMs: number,
): void {
  const denied = (words: string): S3Error =>
    new S3Error('AccessDenied', `Invalid according to Policy: ${words}`);
  if (policy.expiresMs <= nowMs) throw denied('Policy expired.');
  const spoken = new Set<string>();
  for (const condition of policy.conditions) {
    if (condition.kind === 'range') continue;
    const { kind, field, value } = condition;
    spoken.add(field);
    const actual = fields.get(field) ?? '';
    const holds = kind === 'eq' ? actual === value : actual.startsWith(value);
    if (!holds) throw denied(`Policy Condition failed: ["${kind}", "$${field}", "${value}"]`);
  }
  for (const field of fields.keys())
    if (!spoken.has(field) && !unspoken.has(field) && !/^x-(ignore|amz-checksum)-/.test(field))
      throw denied(`Extra input fields: ${field}`);
}

/** Throws `EntityTooLarge`, `EntityTooSmall`. */
export function checkPostSize(policy: PostPolicy, sizeBytes: number): void {
  for (const condition of policy.conditions) {
    if (condition.kind !== 'range') continue;
    if (sizeBytes > condition.maxBytes) throw new S3Error('EntityTooLarge');
    if (sizeBytes < condition.minBytes) throw new S3Error('EntityTooSmall');
  }
}
