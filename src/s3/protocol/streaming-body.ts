// The aws-chunked body: `SIZE[;chunk-signature=SIG]\r\n` data `\r\n`, a last chunk of size zero, then
// trailers (one `name:value` a line, with `x-amz-trailer-signature` when chunks are signed) and an
// empty line. Data is passed on as it comes; a chunk whose signature is wrong makes `next` throw at the chunk's
// end, so nothing may be committed before the body has ended well.

import { createHash, type Hash } from 'node:crypto';
import type { BodySource } from '../../env/http.ts';
import { S3Error } from './errors.ts';
import { parseCount } from './request.ts';
import { type ChunkChain, equalSecret } from './sigv4.ts';

/** A chunk header with its signature is 107 bytes at most. */
const chunkLineBytesMax = 256;

/** Trailers carry one checksum and a signature. */
const trailerBytesMax = 4096;

export interface ChunkedOptions {
  /** Undefined when chunks are not signed. */
  readonly chain: ChunkChain | undefined;
  /** Whether trailers may follow. */
  readonly trailer: boolean;
  readonly decodedBytes: number;
}

export class ChunkedBody implements BodySource {
  readonly #source: BodySource;
  readonly #options: ChunkedOptions;
  /** Received and not yet consumed. */
  #pending: Uint8Array = new Uint8Array(0);
  #chunkLeft = 0;
  #decodedBytes = 0;
  #hash: Hash | undefined;
  #signature = '';
  #state: 'header' | 'data' | 'ended' = 'header';
  #first = true;
  readonly trailers = new Map<string, string>();

  constructor(source: BodySource, options: ChunkedOptions) {
    this.#source = source;
    this.#options = options;
  }

  async #fill(): Promise<void> {
    const chunk = await this.#source.next();
    if (chunk === undefined) throw new S3Error('IncompleteBody', 'The chunked body ended early');
    this.#pending = chunk;
  }

  /** Without its line end; longer than the limit or without `\r` is malformed. */
  async #line(bytesMax: number): Promise<string> {
    let line = '';
    while (true) {
      const end = this.#pending.indexOf(0x0a);
      const take = end < 0 ? this.#pending.length : end;
      if (line.length + take > bytesMax) throw new S3Error('InvalidRequest', 'Malformed chunk');
      for (let i = 0; i < take; i++) line += String.fromCharCode(this.#pending[i] as number);
      if (end >= 0) {
        this.#pending = this.#pending.subarray(end + 1);
        if (!line.endsWith('\r')) throw new S3Error('InvalidRequest', 'Malformed chunk');
        return line.slice(0, -1);
      }
      await this.#fill();
    }
  }

  async #beginChunk(): Promise<void> {
    // The line end that closes the chunk before.
    if (!this.#first && (await this.#line(2)) !== '')
      throw new S3Error('InvalidRequest', 'Malformed chunk');
    this.#first = false;
    const line = await this.#line(chunkLineBytesMax);
    const match = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
    if (match === null) throw new S3Error('InvalidRequest', 'Malformed chunk header');
    this.#chunkLeft = Number.parseInt(match[1] as string, 16);
    this.#decodedBytes += this.#chunkLeft;
    if (this.#decodedBytes > this.#options.decodedBytes)
      throw new S3Error('IncompleteBody', 'More bytes than x-amz-decoded-content-length says');
    if (this.#options.chain === undefined) return;
    if (match[2] === undefined) throw new S3Error('InvalidRequest', 'A chunk without a signature');
    this.#signature = match[2];
    this.#hash = createHash('sha256');
  }

  #endChunk(): void {
    const { chain } = this.#options;
    if (chain === undefined || this.#hash === undefined) return;
    if (!equalSecret(chain.signChunk(this.#hash.digest('hex')), this.#signature))
      throw new S3Error('SignatureDoesNotMatch');
  }

  async #readTrailers(): Promise<void> {
    let signed = '';
    let left = trailerBytesMax;
    while (true) {
      const line = await this.#line(left);
      left -= line.length;
      if (line === '') break;
      const colon = line.indexOf(':');
      const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
      const value = line.slice(colon + 1).trim();
      if (name === '' || !this.#options.trailer || this.trailers.has(name))
        throw new S3Error('InvalidRequest', 'Malformed trailer');
      this.trailers.set(name, value);
      if (name !== 'x-amz-trailer-signature') signed += `${name}:${value}\n`;
    }
    const { chain, trailer } = this.#options;
    if (chain === undefined || !trailer) return;
    const expected = chain.signTrailer(createHash('sha256').update(signed).digest('hex'));
    if (!equalSecret(expected, this.trailers.get('x-amz-trailer-signature') ?? ''))
      throw new S3Error('SignatureDoesNotMatch');
  }

  async #end(): Promise<void> {
    await this.#readTrailers();
    this.#state = 'ended';
    if (this.#decodedBytes !== this.#options.decodedBytes)
      throw new S3Error('IncompleteBody', 'Fewer bytes than x-amz-decoded-content-length says');
    if (this.#pending.length > 0 || (await this.#source.next()) !== undefined)
      throw new S3Error('InvalidRequest', 'Bytes after the last chunk');
  }

  async next(): Promise<Uint8Array | undefined> {
    if (this.#state === 'ended') return undefined;
    if (this.#state === 'header') {
      await this.#beginChunk();
      if (this.#chunkLeft === 0) {
        this.#endChunk();
        await this.#end();
        return undefined;
      }
      this.#state = 'data';
    }
    if (this.#pending.length === 0) await this.#fill();
    const data = this.#pending.subarray(0, this.#chunkLeft);
    this.#pending = this.#pending.subarray(data.length);
    this.#chunkLeft -= data.length;
    this.#hash?.update(data);
    if (this.#chunkLeft === 0) {
      this.#endChunk();
      this.#state = 'header';
    }
    return data;
  }
}

/** What `x-amz-decoded-content-length` says. */
export function decodedLength(header: string | undefined): number {
  if (header === undefined) throw new S3Error('MissingContentLength');
  const length = parseCount(header);
  if (length === undefined)
    throw new S3Error('InvalidArgument', 'x-amz-decoded-content-length is not a number');
  return length;
}
