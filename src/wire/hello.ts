// The first three frames of a connection. Both sides prove that they know the key for this pair before
// either believes anything else the other says; the proof covers both HELLOs whole.
//
//   client → server   hello      who I am, whom I want, what versions I speak, a fresh nonce
//   server → client   welcome    the same, and a proof over both
//   client → server   proof      the client's proof over both

import { bytes, type Codec, list, oneOf, struct, text, uint, union } from '../base/codec.ts';
import { type Uuid, uuid } from '../base/ids.ts';

export const roles = ['mon', 'osd', 's3', 'nbd', 'admin'] as const;
export type Role = (typeof roles)[number];

export interface Hello {
  readonly fsid: Uuid;
  readonly role: Role;
  readonly uuid: Uuid;
  /** Whom the sender means to talk to; a listener with another uuid is nobody. */
  readonly target: Uuid;
  readonly versionMin: number;
  readonly versionMax: number;
  readonly features: readonly string[];
  /** 16 fresh random bytes. */
  readonly nonce: Uint8Array;
}

export const helloCodec: Codec<Hello> = struct({
  fsid: uuid,
  role: oneOf(...roles),
  uuid,
  target: uuid,
  versionMin: uint,
  versionMax: uint,
  features: list(text),
  nonce: bytes,
});

export type Greeting =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'welcome'; readonly hello: Hello; readonly proof: Uint8Array }
  | { readonly kind: 'proof'; readonly proof: Uint8Array }
  | { readonly kind: 'refused'; readonly reason: string };

export const greetingCodec: Codec<Greeting> = union({
  hello: [1, struct({ hello: helloCodec }) as Codec<never>],
  welcome: [2, struct({ hello: helloCodec, proof: bytes }) as Codec<never>],
  proof: [3, struct({ proof: bytes }) as Codec<never>],
  refused: [4, struct({ reason: text }) as Codec<never>],
}) as unknown as Codec<Greeting>;
