// Streams a byte range of an object out of its blobs, reading ahead while the client takes what it has.

import { buffers } from '../base/buffer-pool.ts';
import { concatBytes } from '../base/bytes.ts';
import { DecodeError } from '../base/codec.ts';
import type { BlobId } from '../base/ids.ts';
import { blobBytesMax, type Cluster } from '../client/cluster.ts';
import { ClientError } from '../client/errors.ts';
import type { Clock } from '../env/clock.ts';
import type { BodySource } from '../env/http.ts';
import type { ByteBudget } from './byte-budget.ts';
import {
  type BlobRun,
  type Content,
  decodeManifest,
  type Extent,
  runBytes,
} from './index/format.ts';
import { readMsMax } from './protocol/limits.ts';

/** The piece being taken and one ahead: a disk and the client's link are both busy. */
const piecesAheadMax = 2;

/** When the gateway's budget is short, streams take small pieces, so that many can go on. */
const pressedPieceBytes = 256 * 1024;

/**
 * The longest indirect manifest that is read: 10,000 parts of 5 GiB in one run each are 1 MB; a layout
 * change may cut runs, but not 16-fold.
 */
const indirectBytesMax = 16 * 1024 * 1024;

export interface BlobPiece {
  readonly layout: BlobRun['layout'];
  readonly blob: BlobId;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly blobBytes: number;
}

/** Walks a byte range of consecutive runs, a piece at a time, never across blobs. */
export class PieceCursor {
  readonly #runs: readonly BlobRun[];
  #runIndex = 0;
  /** Of the current run, in the whole. */
  #runBeginBytes = 0;
  #atBytes: number;
  readonly #endBytes: number;

  constructor(runs: readonly BlobRun[], beginBytes: number, endBytes: number) {
    this.#runs = runs;
    this.#atBytes = beginBytes;
    this.#endBytes = endBytes;
  }

  get leftBytes(): number {
    return this.#endBytes - this.#atBytes;
  }

  /** Undefined at the end. Throws `DecodeError` when the runs are shorter than the range. */
  next(pieceBytesMax: number): BlobPiece | undefined {
    if (this.#atBytes >= this.#endBytes) return undefined;
    let run = this.#runs[this.#runIndex];
    while (run !== undefined && this.#atBytes >= this.#runBeginBytes + runBytes(run)) {
      this.#runBeginBytes += runBytes(run);
      run = this.#runs[++this.#runIndex];
    }
    if (run === undefined) throw new DecodeError('a manifest lists fewer bytes than its size');
    const inRun = this.#atBytes - this.#runBeginBytes;
    const index = Math.min(Math.floor(inRun / run.blobBytes), run.count - 1);
    const offsetBytes = inRun - index * run.blobBytes;
    const blobBytes = index === run.count - 1 ? run.lastBytes : run.blobBytes;
    const lengthBytes = Math.min(
      blobBytes - offsetBytes,
      this.#endBytes - this.#atBytes,
      pieceBytesMax,
    );
    this.#atBytes += lengthBytes;
    const { incarnation, counter } = run.first;
    return {
      layout: run.layout,
      blob: { incarnation, counter: counter + index },
      offsetBytes,
      lengthBytes,
      blobBytes,
    };
  }
}

export interface BlobStreamParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** Undefined: the reader's caller has charged the bytes already, and nothing is read ahead. */
  readonly budget: ByteBudget | undefined;
  /** Whoever takes the pieces gives their memory back to the pool. */
  readonly memory?: 'pooled';
  /** Called once, when nothing is read any more. */
  readonly onClose?: () => void;
}

interface PieceRead {
  readonly bytes: number;
  readonly result: Promise<Uint8Array>;
}

/**
 * A body that throws when a blob can't be read: the connection breaks, and nobody takes a short object
 * for a whole one. Ends itself after 24 hours, since collected garbage may have been its blobs.
 */
export class BlobStream implements BodySource {
  readonly #parts: BlobStreamParts;
  readonly #cursor: PieceCursor;
  readonly #beganAt: number;
  readonly #queue: PieceRead[] = [];
  /** Charge of the piece handed out last: the client may still be taking it. */
  #heldBytes = 0;
  #closed = false;

  constructor(parts: BlobStreamParts, cursor: PieceCursor) {
    this.#parts = parts;
    this.#cursor = cursor;
    this.#beganAt = parts.clock.now();
  }

  /** Resolves when the first piece is here, so that its failure can still be answered as an error. */
  async start(): Promise<void> {
    await this.#fill();
    await this.#queue[0]?.result;
  }

  async #fill(): Promise<void> {
    const { budget, cluster } = this.#parts;
    const aheadMax = budget === undefined ? 1 : piecesAheadMax;
    while (this.#queue.length < aheadMax && !this.#closed) {
      const pressed = budget?.isPressed === true;
      const pieceBytesMax = Math.min(
        pressed ? pressedPieceBytes : blobBytesMax,
        this.#cursor.leftBytes,
      );
      if (pieceBytesMax === 0) return;
      if (budget !== undefined) {
        if (this.#queue.length > 0 && !budget.tryAcquire(pieceBytesMax)) return;
        if (this.#queue.length === 0) await budget.acquire(pieceBytesMax);
      }
      const piece = this.#closed ? undefined : this.#cursor.next(pieceBytesMax);
      budget?.release(pieceBytesMax - (piece?.lengthBytes ?? 0));
      if (piece === undefined) return;
      const { offsetBytes, lengthBytes, blobBytes } = piece;
      const range = { offsetBytes, lengthBytes, blobBytes };
      const isPooled = this.#parts.memory === 'pooled';
      const result = cluster.readBlob(
        piece.layout,
        piece.blob,
        isPooled ? { ...range, pooled: true } : range,
      );
      // Whoever takes the piece hears of a failure; a stream that is closed first wants none.
      result.catch(() => {});
      this.#queue.push({ bytes: lengthBytes, result });
    }
  }

  async next(): Promise<Uint8Array | undefined> {
    this.#releaseHeld();
    if (this.#parts.clock.now() - this.#beganAt > readMsMax)
      throw new ClientError('unavailable', 'the read was older than a day');
    await this.#fill();
    const read = this.#queue.shift();
    if (read === undefined) return undefined;
    try {
      const bytes = await read.result;
      this.#heldBytes = read.bytes;
      if (this.#closed) this.#releaseHeld();
      return bytes;
    } catch (error) {
      this.#parts.budget?.release(read.bytes);
      throw error;
    }
  }

  #releaseHeld(): void {
    this.#parts.budget?.release(this.#heldBytes);
    this.#heldBytes = 0;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#releaseHeld();
    for (const read of this.#queue.splice(0)) {
      const release = (): void => this.#parts.budget?.release(read.bytes);
      read.result.then((bytes) => {
        buffers.release(bytes);
        release();
      }, release);
    }
    this.#parts.onClose?.();
  }
}

/** The pieces an object was uploaded in; none for inline content. Throws `ClientError`, `DecodeError`. */
export async function loadExtents(cluster: Cluster, content: Content): Promise<readonly Extent[]> {
  switch (content.kind) {
    case 'inline':
      return [];
    case 'direct':
      return content.extents;
    case 'indirect':
      return decodeManifest(await readManifest(cluster, content));
  }
}

/** The bytes of an indirect manifest. */
export async function readManifest(
  cluster: Pick<Cluster, 'readBlob'>,
  manifest: { readonly manifestBytes: number; readonly runs: readonly BlobRun[] },
): Promise<Uint8Array> {
  if (manifest.manifestBytes > indirectBytesMax)
    throw new DecodeError(`an indirect manifest of ${manifest.manifestBytes} bytes`);
  const cursor = new PieceCursor(manifest.runs, 0, manifest.manifestBytes);
  const pieces: Uint8Array[] = [];
  for (let piece = cursor.next(blobBytesMax); piece; piece = cursor.next(blobBytesMax)) {
    const { offsetBytes, lengthBytes } = piece;
    pieces.push(await cluster.readBlob(piece.layout, piece.blob, { offsetBytes, lengthBytes }));
  }
  return concatBytes(pieces);
}
