// Reads the answers of an HTTP/1.1 server off one connection for the load generator: the status, and how
// many bytes the body had. A body is as long as its Content-Length says, or comes in chunks; its bytes are
// skipped, not looked at. Left out, because nothing in the load needs them: answers to HEAD, interim
// answers, and bodies that end with the connection.

export interface Answer {
  readonly status: number;
  /** Of the body, without what frames its chunks. */
  readonly bytes: number;
}

/** Longest head, and longest line between chunks, in bytes: more than servers send, so that nonsense ends. */
const textBytesMax = 65_536;

/**
 * What the next byte belongs to: the head; a body of known length; or, of one in chunks, the line with the
 * size of a chunk, its bytes, the end of line after them, and the trailer after the last one.
 */
type Part = 'head' | 'body' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer';

export class AnswerReader {
  #part: Part = 'head';
  /** What came so far of a head or line that has not ended. */
  #begun: Buffer | undefined;
  #status = 0;
  /** Of the body, so far. */
  #bytes = 0;
  /** Of the body or chunk, still to come. */
  #bytesLeft = 0;

  /** Takes what the connection brought next; the answer when it ends there. Throws on what is no answer. */
  take(bytes: Buffer): Answer | undefined {
    let at = 0;
    while (at < bytes.length) {
      if (this.#part === 'body' || this.#part === 'chunk') {
        const here = Math.min(this.#bytesLeft, bytes.length - at);
        this.#bytes += here;
        this.#bytesLeft -= here;
        at += here;
        if (this.#bytesLeft > 0) return undefined;
        if (this.#part === 'body') return this.#end(bytes, at);
        this.#part = 'chunk-end';
        continue;
      }
      const mark = this.#part === 'head' ? '\r\n\r\n' : '\r\n';
      const carried = this.#begun?.length ?? 0;
      const text =
        this.#begun === undefined
          ? bytes.subarray(at)
          : Buffer.concat([this.#begun, bytes.subarray(at)]);
      // The mark may have begun in what was there before.
      const end = text.indexOf(mark, Math.max(0, carried - mark.length + 1), 'latin1');
      if ((end < 0 ? text.length : end) > textBytesMax)
        throw new Error(`no end of ${this.#part} in ${textBytesMax} bytes`);
      if (end < 0) {
        this.#begun = text;
        return undefined;
      }
      this.#begun = undefined;
      at += end + mark.length - carried;
      if (this.#readText(text.toString('latin1', 0, end))) return this.#end(bytes, at);
    }
    return undefined;
  }

  /** A head, or a line between chunks; whether the answer ends with it. */
  #readText(text: string): boolean {
    switch (this.#part) {
      case 'head':
        return this.#readHead(text);
      case 'chunk-size': {
        const size = /^([0-9a-f]{1,12})[ \t]*(?:;|$)/i.exec(text)?.[1];
        if (size === undefined) throw new Error(`not the size of a chunk: ${text.slice(0, 80)}`);
        this.#bytesLeft = Number.parseInt(size, 16);
        this.#part = this.#bytesLeft > 0 ? 'chunk' : 'trailer';
        return false;
      }
      case 'chunk-end':
        if (text !== '') throw new Error(`a chunk is longer than its size: ${text.slice(0, 80)}`);
        this.#part = 'chunk-size';
        return false;
      default:
        return text === '';
    }
  }

  #readHead(text: string): boolean {
    const status = /^HTTP\/1\.1 ([2-5]\d\d)(?: |\r\n|$)/.exec(text)?.[1];
    if (status === undefined) throw new Error(`not the head of an answer: ${text}`);
    this.#status = Number(status);
    this.#bytes = 0;
    if (this.#status === 204 || this.#status === 304) return true;
    if (/\r\ntransfer-encoding:[ \t]*chunked[ \t]*(?:\r\n|$)/i.test(text)) {
      this.#part = 'chunk-size';
      return false;
    }
    const length = /\r\ncontent-length:[ \t]*(\d+)[ \t]*(?:\r\n|$)/i.exec(text)?.[1];
    if (length === undefined) throw new Error(`no length in the answer: ${text}`);
    this.#bytesLeft = Number(length);
    this.#part = 'body';
    return this.#bytesLeft === 0;
  }

  #end(bytes: Buffer, at: number): Answer {
    if (at < bytes.length) throw new Error(`${bytes.length - at} bytes after the answer`);
    this.#part = 'head';
    return { status: this.#status, bytes: this.#bytes };
  }
}
