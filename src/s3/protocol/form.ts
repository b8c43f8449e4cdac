// A browser's form, `multipart/form-data`: fields in order, then the file, streamed. Fields after the file are
// ignored, as S3 does.

import { decodeUtf8, encodeUtf8 } from '../../base/bytes.ts';
import type { BodySource } from '../../env/http.ts';
import { S3Error } from './errors.ts';

/** All fields together: a policy is at most 20 KiB, metadata 2 KiB. S3's own limit. */
const fieldsBytesMax = 64 * 1024;

const fieldsMax = 200;

function malformed(): S3Error {
  return new S3Error(
    'MalformedPOSTRequest',
    'The body of your POST request is not well-formed multipart/form-data.',
  );
}

function indexOfBytes(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const first = wanted[0] ?? 0;
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (at + wanted.length > bytes.length) return -1;
    let i = 1;
    while (i < wanted.length && bytes[at + i] === wanted[i]) i++;
    if (i === wanted.length) return at;
  }
  return -1;
}

export function boundaryOf(contentType: string | undefined): string | undefined {
  const match = /^multipart\/form-data\s*;.*?boundary=(?:"([^"]{1,200})"|([^;\s]{1,200}))/i.exec(
    contentType ?? '',
  );
  return match?.[1] ?? match?.[2];
}

export interface FormFields {
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  /** As the file's part names it, without folders. */
  readonly fileName: string;
}

/** Reads the fields, then is the body of the file. */
export class FormBody implements BodySource {
  readonly #source: BodySource;
  readonly #boundary: Uint8Array;
  #buffer = new Uint8Array(0);
  #sourceEnded = false;
  #fileEnded = false;
  /** Taken from the source so far. */
  #receivedBytes = 0;

  constructor(source: BodySource, boundary: string) {
    this.#source = source;
    this.#boundary = encodeUtf8(`\r\n--${boundary}`);
    // The first boundary has no line end before it.
    this.#buffer = Uint8Array.of(13, 10);
  }

  async #fill(): Promise<void> {
    const chunk = await this.#source.next();
    if (chunk === undefined) {
      this.#sourceEnded = true;
      return;
    }
    this.#receivedBytes += chunk.length;
    const joined = new Uint8Array(this.#buffer.length + chunk.length);
    joined.set(this.#buffer);
    joined.set(chunk, this.#buffer.length);
    this.#buffer = joined;
  }

  /** Up to `wanted`, which is passed over. */
  async #readUntil(wanted: Uint8Array): Promise<Uint8Array> {
    let from = 0;
    while (true) {
      const at = indexOfBytes(this.#buffer, wanted, from);
      if (at >= 0) {
        const found = this.#buffer.slice(0, at);
        this.#buffer = this.#buffer.subarray(at + wanted.length);
        return found;
      }
      if (this.#sourceEnded || this.#buffer.length > fieldsBytesMax) throw malformed();
      from = Math.max(0, this.#buffer.length - wanted.length);
      await this.#fill();
    }
  }

  async readFields(): Promise<FormFields> {
    const fields = new Map<string, string>();
    const lineEnd = encodeUtf8('\r\n');
    const blankLine = encodeUtf8('\r\n\r\n');
    let bytes = 0;
    await this.#readUntil(this.#boundary);
    for (let count = 0; count < fieldsMax; count++) {
      if ((await this.#readUntil(lineEnd)).length > 0)
        throw new S3Error('InvalidArgument', 'POST requires exactly one file upload per request.');
      const head = decodeUtf8(await this.#readUntil(blankLine));
      const disposition = /^content-disposition:(.*)$/im.exec(head)?.[1] ?? '';
      const name = /[;\s]name="([^"]*)"/i.exec(disposition)?.[1]?.toLowerCase();
      if (name === undefined) throw malformed();
      if (name === 'file') {
        const fileName = /filename="([^"]*)"/i.exec(disposition)?.[1] ?? '';
        // What the part says of the file's type is no field.
        return { fields, fileName: fileName.replace(/^.*[\\/]/, '') };
      }
      const value = await this.#readUntil(this.#boundary);
      bytes += name.length + value.length;
      if (bytes > fieldsBytesMax) throw new S3Error('MaxPostPreDataLengthExceededError');
      fields.set(name, decodeUtf8(value));
    }
    throw malformed();
  }

  /**
   * How long the file is if nothing but the end follows it, in a body of `bodyBytes`. What the file
   * turns out to be decides.
   */
  expectedBytes(bodyBytes: number): number {
    const left = bodyBytes - this.#receivedBytes + this.#buffer.length;
    // The boundary, two dashes, a line end.
    return left - this.#boundary.length - 4;
  }

  async next(): Promise<Uint8Array | undefined> {
    while (!this.#fileEnded) {
      const at = indexOfBytes(this.#buffer, this.#boundary, 0);
      if (at >= 0) {
        this.#fileEnded = true;
        // What follows is taken and ignored, so that the connection can go on.
        while ((await this.#source.next()) !== undefined);
        return at > 0 ? this.#buffer.slice(0, at) : undefined;
      }
      // The end of what is here may be the beginning of the boundary.
      const safe = this.#buffer.length - this.#boundary.length;
      if (safe > 0) {
        const chunk = this.#buffer.slice(0, safe);
        this.#buffer = this.#buffer.slice(safe);
        return chunk;
      }
      if (this.#sourceEnded) throw new S3Error('IncompleteBody');
      await this.#fill();
    }
    return undefined;
  }
}
