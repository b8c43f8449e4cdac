// Percent-encoding as SigV4 defines it: everything but A-Z a-z 0-9 - . _ ~ is `%XX` in upper case.
// Raw text is latin-1: one character a byte.

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

const encodedOf: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[A-Za-z0-9\-._~]/.test(character)
    ? character
    : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

/** Decodes UTF-8 exactly (a byte order mark stays); undefined for malformed sequences. */
export function decodeStrictUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** `%` and two digits to a byte, then UTF-8; undefined when either is malformed. */
export function decodePercent(
  raw: string,
  plus: 'is-space' | 'is-plus' = 'is-plus',
): string | undefined {
  if (/^[!-$&-*,-~]*$/.test(raw)) return raw;
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  for (let i = 0; i < raw.length; i++) {
    let code = raw.charCodeAt(i);
    if (code === 0x25) {
      const digits = raw.slice(i + 1, i + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return undefined;
      code = Number.parseInt(digits, 16);
      i += 2;
    } else if (code === 0x2b && plus === 'is-space') {
      code = 0x20;
    } else if (code > 0xff) {
      return undefined;
    }
    bytes[length++] = code;
  }
  return decodeStrictUtf8(bytes.subarray(0, length));
}

/** `slash: 'kept'` for paths and for the keys of a listing with `encoding-type=url`. */
export function encodePercent(text: string, slash: 'kept' | 'encoded'): string {
  if (slash === 'kept' ? /^[A-Za-z0-9\-._~/]*$/.test(text) : /^[A-Za-z0-9\-._~]*$/.test(text))
    return text;
  let encoded = '';
  for (const byte of encoder.encode(text))
    encoded += byte === 0x2f && slash === 'kept' ? '/' : (encodedOf[byte] as string);
  return encoded;
}
