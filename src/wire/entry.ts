// A PG's log entry: what its primary decided, as effects, never as a call (PROTOCOL rule 4). The same
// bytes travel to the members and stand in their logs.

import { bytes, type Codec, list, option, struct, text, u64, uint, union } from '../base/codec.ts';
import { type BlobId, blobId } from '../base/ids.ts';
import type { RowEffect, Version } from '../base/method.ts';
import { type Geometry, geometryCodec } from '../map/geometry.ts';

export const versionCodec: Codec<Version> = struct({ tenure: uint, sequence: uint });

export function compareVersions(a: Version, b: Version): number {
  return a.tenure - b.tenure || a.sequence - b.sequence;
}

export function equalVersions(a: Version, b: Version): boolean {
  return a.tenure === b.tenure && a.sequence === b.sequence;
}

export const zeroVersion: Version = { tenure: 0, sequence: 0 };

const rowEffectCodec: Codec<RowEffect> = union({
  put: [1, struct({ key: bytes, value: bytes }) as Codec<never>],
  delete: [2, struct({ key: bytes }) as Codec<never>],
}) as unknown as Codec<RowEffect>;

/** Everything about a blob but its bytes; the same on every shard. */
export interface BlobFacts {
  readonly blob: BlobId;
  readonly geometry: Geometry;
  /** 1 to 4 MiB. */
  readonly blobBytes: number;
  /** CRC-32C of the whole blob. */
  readonly blobCrc: number;
}

export const blobFactsCodec: Codec<BlobFacts> = struct({
  blob: blobId,
  geometry: geometryCodec,
  blobBytes: uint,
  blobCrc: uint,
});

export type Effect =
  /** Rows of one mutable object. */
  | { readonly kind: 'rows'; readonly object: string; readonly effects: readonly RowEffect[] }
  /** A blob comes to be; each member gets its own shard beside the entry. */
  | ({ readonly kind: 'put-blob' } & BlobFacts)
  | { readonly kind: 'delete-blob'; readonly blob: BlobId }
  /** Blobs whose puts too few members held at a take-over, with the requests that made them (rule 20). */
  | {
      readonly kind: 'abandon';
      readonly blobs: readonly BlobId[];
      readonly requests: readonly Request[];
    };

/** One request of one client, named for ever. */
export interface Request {
  /** The client's incarnation, leased by the monitors. */
  readonly client: number;
  /** Counts up in the client. */
  readonly counter: number;
}

/** A request with what lets its PG forget others: every one of the client below `doneBefore` has ended. */
export interface LiveRequest extends Request {
  readonly doneBefore: number;
}

export const requestCodec: Codec<Request> = struct({ client: u64, counter: u64 });
export const liveRequestCodec: Codec<LiveRequest> = struct({
  client: u64,
  counter: u64,
  doneBefore: u64,
});

const effectCodec: Codec<Effect> = union({
  rows: [1, struct({ object: text, effects: list(rowEffectCodec) }) as Codec<never>],
  'put-blob': [2, blobFactsCodec as unknown as Codec<never>],
  'delete-blob': [3, struct({ blob: blobId }) as Codec<never>],
  abandon: [4, struct({ blobs: list(blobId), requests: list(requestCodec) }) as Codec<never>],
}) as unknown as Codec<Effect>;

export interface LogEntry {
  readonly version: Version;
  /** The entry before it; sequences have no gaps. */
  readonly previous: Version;
  readonly request: LiveRequest | undefined;
  /** What the request is answered, now and when it is asked again. */
  readonly result: Uint8Array;
  readonly effect: Effect;
}

export const logEntryCodec: Codec<LogEntry> = struct({
  version: versionCodec,
  previous: versionCodec,
  request: option(liveRequestCodec),
  result: bytes,
  effect: effectCodec,
});
