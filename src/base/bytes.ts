// Byte-string arithmetic: comparison, concatenation, hexadecimal and text forms.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const emptyBytes: Uint8Array = new Uint8Array(0);

/** Up to this many characters of ASCII the loop here takes a tenth of what a call of the encoder does. */
const shortTextMax = 64;

export function encodeUtf8(text: string): Uint8Array {
  const { length } = text;
  if (length > shortTextMax) return encoder.encode(text);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) return encoder.encode(text);
    bytes[i] = code;
  }
  return bytes;
}

/** Malformed sequences become U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Orders as unsigned bytes, a prefix first: the order of every key-value store we use. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

export function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length && equalBytes(bytes.subarray(0, prefix.length), prefix);
}

export function concatBytes(views: readonly Uint8Array[]): Uint8Array {
  if (views.length === 1) return views[0] as Uint8Array;
  let total = 0;
  for (const view of views) total += view.length;
  const joined = new Uint8Array(total);
  let at = 0;
  for (const view of views) {
    joined.set(view, at);
    at += view.length;
  }
  return joined;
}

/** The smallest key greater than every key that starts with `prefix`; undefined when there is none. */
export function afterPrefix(prefix: Uint8Array): Uint8Array | undefined {
  for (let end = prefix.length; end > 0; end--) {
    const last = prefix[end - 1] as number;
    if (last === 0xff) continue;
    const after = prefix.slice(0, end);
    after[end - 1] = last + 1;
    return after;
  }
  return undefined;
}

/** The smallest key greater than `key`. */
export function afterKey(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.length + 1);
  after.set(key);
  return after;
}

const hexDigits = '0123456789abcdef';

export function formatHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes)
    text += (hexDigits[byte >> 4] as string) + (hexDigits[byte & 15] as string);
  return text;
}

/** Returns undefined for anything but an even number of hexadecimal digits. */
export function parseHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
