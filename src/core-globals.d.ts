// What core code may name beyond the language: text coding, synchronous WebAssembly, and the
// synchronous hash, HMAC and counter-mode cipher functions. Compiled only with tsconfig.core.json; @types/node declares
// the same names for everything else.

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: Uint8Array): string;
}

declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Instance {
    constructor(module: Module, imports?: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
}

declare module 'node:crypto' {
  interface Hash {
    update(bytes: Uint8Array | string): Hash;
    digest(): Uint8Array<ArrayBuffer>;
    digest(encoding: 'hex' | 'base64'): string;
    copy(): Hash;
  }
  interface Hmac {
    update(bytes: Uint8Array | string): Hmac;
    digest(): Uint8Array<ArrayBuffer>;
    digest(encoding: 'hex' | 'base64'): string;
  }
  interface Cipher {
    update(bytes: Uint8Array): Uint8Array<ArrayBuffer>;
  }
  export function createCipheriv(
    algorithm: 'aes-256-ctr',
    key: Uint8Array,
    counter: Uint8Array,
  ): Cipher;
  export function hash(
    algorithm: 'md5' | 'sha256',
    input: Uint8Array | string,
    encoding: 'hex',
  ): string;
  export function hash(
    algorithm: 'md5' | 'sha256',
    input: Uint8Array | string,
    encoding: 'buffer',
  ): Uint8Array<ArrayBuffer>;
  export function createHash(algorithm: 'md5' | 'sha1' | 'sha256'): Hash;
  export function createHmac(algorithm: 'sha1' | 'sha256', key: Uint8Array | string): Hmac;
  export type { Hash, Hmac };
}
