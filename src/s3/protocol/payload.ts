// A request's body, checked while it streams: length, MD5, the signed SHA-256, chunk signatures and the
// additional checksum. Nothing may be committed before `finish` has returned: only then are all claims
// of the client proved.

import { createHash, type Hash, hash } from 'node:crypto';
import { formatHex } from '../../base/bytes.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import { BodyError, type BodySource } from '../../env/http.ts';
import { parseBase64 } from './base64.ts';
import type { ChecksumAlgorithm } from './checksum-names.ts';
import {
  type ChecksumClaim,
  type ChecksumState,
  checksumHeader,
  isChecksumValue,
  parseChecksumClaim,
  startChecksum,
} from './checksums.ts';
import { S3Error } from './errors.ts';
import { bodyStallMsMax } from './limits.ts';
import { parseCount, type S3Request } from './request.ts';
import type { PayloadSignature } from './sigv4.ts';
import { ChunkedBody, decodedLength } from './streaming-body.ts';

export interface PayloadDigests {
  /** Hexadecimal. */
  readonly md5: string;
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
}

/** Ends a wait for bytes that do not come; one timer serves the whole body. */
class StallGuard implements BodySource {
  readonly #source: BodySource;
  readonly #clock: Clock;
  #waitingSince: number | undefined;
  #fail: ((error: S3Error) => void) | undefined;
  #timer: Timer | undefined;

  constructor(source: BodySource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  next(): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#waitingSince = this.#clock.now();
      this.#fail = reject;
      this.#arm(bodyStallMsMax);
      this.#source.next().then(
        (chunk) => {
          this.#waitingSince = undefined;
          if (chunk === undefined) this.stop();
          resolve(chunk);
        },
        (error: unknown) => {
          this.#waitingSince = undefined;
          this.stop();
          reject(error);
        },
      );
    });
  }

  #arm(delayMs: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#clock.after(delayMs, 's3-body-stall', () => {
      this.#timer = undefined;
      if (this.#waitingSince === undefined) return;
      const waited = this.#clock.now() - this.#waitingSince;
      if (waited >= bodyStallMsMax) this.#fail?.(new S3Error('RequestTimeout'));
      else this.#arm(bodyStallMsMax - waited);
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

export interface PayloadOptions {
  readonly clock: Clock;
  /** A checksum to compute though the client names none: its upload's. */
  readonly computeChecksum?: ChecksumAlgorithm | undefined;
  /** Default true: XML bodies need no MD5 unless the client sent one. */
  readonly computeMd5?: boolean;
  /**
   * Default `of-body`. In CompleteMultipartUpload the checksum headers speak of the finished object.
   */
  readonly checksumHeaders?: 'of-body' | 'of-object';
}

/** A digest of a body: in one call when the body comes as one piece, which a small one does. */
class BodyDigest {
  readonly #algorithm: 'md5' | 'sha256';
  #hash: Hash | undefined;
  #hex: string | undefined;

  constructor(algorithm: 'md5' | 'sha256') {
    this.#algorithm = algorithm;
  }

  update(chunk: Uint8Array, isWhole: boolean): void {
    if (isWhole) this.#hex = hash(this.#algorithm, chunk, 'hex');
    else {
      this.#hash ??= createHash(this.#algorithm);
      this.#hash.update(chunk);
    }
  }

  hex(): string {
    return this.#hex ?? (this.#hash ?? createHash(this.#algorithm)).digest('hex');
  }
}

export class Payload implements BodySource {
  /** Of the decoded body. */
  readonly sizeBytes: number;
  readonly #source: BodySource;
  readonly #chunked: ChunkedBody | undefined;
  readonly #guard: StallGuard;
  readonly #md5: BodyDigest | undefined;
  readonly #md5Expected: string | undefined;
  readonly #sha256: BodyDigest | undefined;
  readonly #sha256Expected: string | undefined;
  readonly #claim: ChecksumClaim | undefined;
  readonly #checksum: ChecksumState | undefined;
  readonly #algorithm: ChecksumAlgorithm | undefined;
  #received = 0;
  #ended = false;

  /** Throws `MissingContentLength`, `InvalidDigest`, `InvalidArgument`, `InvalidRequest`. Reads nothing. */
  constructor(request: S3Request, signature: PayloadSignature, options: PayloadOptions) {
    const { headers } = request;
    this.#guard = new StallGuard(request.body, options.clock);
    if (signature.kind === 'chunked') {
      this.sizeBytes = decodedLength(headers.get('x-amz-decoded-content-length'));
      this.#chunked = new ChunkedBody(this.#guard, {
        chain: signature.chain,
        trailer: signature.trailer,
        decodedBytes: this.sizeBytes,
      });
      this.#source = this.#chunked;
    } else {
      this.sizeBytes = contentLength(headers.get('content-length'));
      this.#source = this.#guard;
    }
    this.#md5Expected = parseContentMd5(headers.get('content-md5'));
    if (options.computeMd5 !== false || this.#md5Expected !== undefined)
      this.#md5 = new BodyDigest('md5');
    if (signature.kind === 'sha256') {
      this.#sha256Expected = signature.hex;
      this.#sha256 = new BodyDigest('sha256');
    }
    this.#claim = options.checksumHeaders === 'of-object' ? undefined : parseChecksumClaim(headers);
    if (this.#claim?.inTrailer === true && !(signature.kind === 'chunked' && signature.trailer))
      throw new S3Error('InvalidRequest', 'x-amz-trailer needs a body with trailers');
    const algorithm = this.#claim?.algorithm ?? options.computeChecksum;
    if (algorithm !== undefined) this.#checksum = startChecksum(algorithm);
    this.#algorithm = algorithm;
  }

  /** The checksum algorithm the client named. */
  get claimedAlgorithm(): ChecksumAlgorithm | undefined {
    return this.#claim?.algorithm;
  }

  async next(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const chunk = await this.#pull();
    if (chunk === undefined) {
      this.#ended = true;
      return undefined;
    }
    this.#received += chunk.length;
    if (this.#received > this.sizeBytes)
      throw new S3Error('IncompleteBody', 'The body is longer than announced');
    const isWhole = chunk.length === this.sizeBytes;
    this.#md5?.update(chunk, isWhole);
    this.#sha256?.update(chunk, isWhole);
    this.#checksum?.update(chunk);
    return chunk;
  }

  async #pull(): Promise<Uint8Array | undefined> {
    try {
      return await this.#source.next();
    } catch (error) {
      this.#guard.stop();
      if (error instanceof BodyError)
        throw new S3Error('IncompleteBody', undefined, { cause: error });
      throw error;
    }
  }

  /** Reads what is left (nothing, for a well-behaved client) and proves every claim. */
  async finish(): Promise<PayloadDigests> {
    while ((await this.next()) !== undefined);
    if (this.#received !== this.sizeBytes) throw new S3Error('IncompleteBody');
    const md5 = this.#md5?.hex() ?? '';
    if (this.#md5Expected !== undefined && md5 !== this.#md5Expected)
      throw new S3Error(
        'BadDigest',
        'The Content-MD5 you specified did not match what we received.',
        {
          detail: { ExpectedDigest: this.#md5Expected, CalculatedDigest: md5 },
        },
      );
    if (this.#sha256 !== undefined && this.#sha256.hex() !== this.#sha256Expected)
      throw new S3Error('XAmzContentSHA256Mismatch');
    return { md5, checksum: this.#finishChecksum() };
  }

  #finishChecksum(): PayloadDigests['checksum'] {
    if (this.#checksum === undefined || this.#algorithm === undefined) return undefined;
    const algorithm = this.#algorithm;
    const value = this.#checksum.digest();
    let expected = this.#claim?.value;
    if (this.#claim?.inTrailer === true) {
      expected = this.#chunked?.trailers.get(checksumHeader(algorithm));
      if (expected === undefined)
        throw new S3Error('InvalidRequest', 'The trailer named in x-amz-trailer is missing');
      if (!isChecksumValue(algorithm, expected))
        throw new S3Error(
          'InvalidRequest',
          `Value for ${checksumHeader(algorithm)} trailing header is invalid.`,
        );
    }
    if (expected !== undefined && expected !== value)
      throw new S3Error(
        'BadDigest',
        `The ${algorithm} you specified did not match the calculated checksum.`,
      );
    return { algorithm, value };
  }
}

function contentLength(header: string | undefined): number {
  if (header === undefined) throw new S3Error('MissingContentLength');
  const length = parseCount(header);
  if (length === undefined) throw new S3Error('InvalidArgument', 'Content-Length is not a number');
  return length;
}

/** Hexadecimal. */
function parseContentMd5(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const bytes = parseBase64(header);
  if (bytes === undefined || bytes.length !== 16) throw new S3Error('InvalidDigest');
  return formatHex(bytes);
}

/**
 * The whole body as one piece, at most `bytesMax`. Throws `EntityTooLarge` before reading anything.
 */
export async function readWhole(payload: Payload, bytesMax: number): Promise<Uint8Array> {
  if (payload.sizeBytes > bytesMax) throw new S3Error('EntityTooLarge');
  const first = await payload.next();
  if (first === undefined) return new Uint8Array(0);
  if (first.length === payload.sizeBytes) return first;
  const whole = new Uint8Array(payload.sizeBytes);
  let at = 0;
  for (
    let chunk: Uint8Array | undefined = first;
    chunk !== undefined;
    chunk = await payload.next()
  ) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
