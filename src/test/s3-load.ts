// A lean S3 client for the benchmark: keep-alive connections of its own, signatures with an unsigned
// payload, nothing checked but the status. It shares the machine with the cluster, so it must cost little.

import { createHash, createHmac } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type Answer, AnswerReader } from './answer-reader.ts';

interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

const payloadHash = 'UNSIGNED-PAYLOAD';

export class LoadConnection {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #credentials: Credentials;
  #signingKey: Buffer = Buffer.alloc(0);
  #signingDay = '';
  readonly #answers = new AnswerReader();
  #resolve: ((answer: Answer) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  private constructor(socket: Socket, host: string, credentials: Credentials) {
    this.#socket = socket;
    this.#host = host;
    this.#credentials = credentials;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', (error) => this.#reject?.(error));
    socket.on('close', () => this.#reject?.(new Error('connection closed')));
  }

  static open(endpoint: string, credentials: Credentials): Promise<LoadConnection> {
    const { hostname, port, host } = new URL(endpoint);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () =>
        resolve(new LoadConnection(socket, host, credentials)),
      );
      socket.once('error', reject);
    });
  }

  close(): void {
    this.#reject = undefined;
    this.#socket.destroy();
  }

  /** One request; the body of the answer is counted and thrown away. */
  request(method: string, path: string, body?: Buffer, query = ''): Promise<Answer> {
    const now = new Date().toISOString();
    const stamp = `${now.slice(0, 4)}${now.slice(5, 7)}${now.slice(8, 13)}${now.slice(14, 16)}${now.slice(17, 19)}Z`;
    const day = stamp.slice(0, 8);
    const scope = `${day}/us-east-1/s3/aws4_request`;
    const canonical = `${method}\n${path}\n${query}\nhost:${this.#host}\nx-amz-content-sha256:${payloadHash}\nx-amz-date:${stamp}\n\nhost;x-amz-content-sha256;x-amz-date\n${payloadHash}`;
    const toSign = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`;
    const signature = createHmac('sha256', this.#keyOf(day)).update(toSign).digest('hex');
    const head =
      `${method} ${path}${query === '' ? '' : `?${query}`} HTTP/1.1\r\nhost: ${this.#host}\r\nx-amz-content-sha256: ${payloadHash}\r\nx-amz-date: ${stamp}\r\n` +
      `authorization: AWS4-HMAC-SHA256 Credential=${this.#credentials.accessKey}/${scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${signature}\r\n` +
      `content-length: ${body?.length ?? 0}\r\n\r\n`;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#socket.destroyed) reject(new Error('connection closed'));
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      if (body !== undefined) this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  #keyOf(day: string): Buffer {
    if (day !== this.#signingDay) {
      let key: Buffer | string = `AWS4${this.#credentials.secretKey}`;
      for (const part of [day, 'us-east-1', 's3', 'aws4_request'])
        key = createHmac('sha256', key).update(part).digest();
      this.#signingKey = key as Buffer;
      this.#signingDay = day;
    }
    return this.#signingKey;
  }

  #take(bytes: Buffer): void {
    try {
      const answer = this.#answers.take(bytes);
      if (answer !== undefined) this.#resolve?.(answer);
    } catch (error) {
      // Where the next answer begins is not known either.
      this.#socket.destroy(error as Error);
    }
  }
}
