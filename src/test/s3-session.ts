// What tests and the demo do with S3, by the AWS SDK for JavaScript: a real client with its own retries,
// checksums and signatures.

import { createCipheriv, createHash } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { Ready } from './cluster-process.ts';

export interface SessionOptions {
  /** 1: what the server answers is what is seen. */
  readonly attemptsMax: number;
  readonly requestTimeoutMs?: number;
}

/** What the server said, when it was not what was hoped for. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export class S3Session {
  readonly client: S3Client;
  readonly bucket: string;

  constructor(ready: Ready, bucket: string, options: SessionOptions) {
    this.bucket = bucket;
    // Which Node.js the SDK's later versions will need is nothing for a test's output.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
    this.client = new S3Client({
      endpoint: ready.s3,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: ready.accessKey, secretAccessKey: ready.secretKey },
      retryMode: 'standard',
      maxAttempts: options.attemptsMax,
      requestHandler: {
        connectionTimeout: 10_000,
        requestTimeout: options.requestTimeoutMs ?? 60_000,
        throwOnRequestTimeout: true,
        httpAgent: { keepAlive: true, maxSockets: 64 },
      },
    });
  }

  async createBucket(): Promise<void> {
    await this.client.send(new CreateBucketCommand({ Bucket: this.bucket }));
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    await this.client.send(new PutObjectCommand({ Bucket: this.bucket, Key: key, Body: body }));
  }

  async get(key: string): Promise<Uint8Array> {
    const answer = await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
    return (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
  }

  /** SHA-256 of the object, read as a stream; undefined when there is none. */
  async digestOf(key: string): Promise<string | undefined> {
    try {
      const answer = await this.client.send(
        new GetObjectCommand({ Bucket: this.bucket, Key: key }),
      );
      const hash = createHash('sha256');
      for await (const piece of answer.Body as AsyncIterable<Uint8Array>) hash.update(piece);
      return hash.digest('hex');
    } catch (error) {
      if (refusalOf(error)?.status === 404) return undefined;
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    await this.client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: key }));
  }

  close(): void {
    this.client.destroy();
  }
}

/** The server's answer in an error of the SDK; undefined when there was none, as with a lost connection. */
export function refusalOf(error: unknown): Refusal | undefined {
  const fields = error as {
    readonly name?: string;
    readonly message?: string;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const status = fields.$metadata?.httpStatusCode;
  if (status === undefined) return undefined;
  return { status, code: fields.name ?? '', message: fields.message ?? '' };
}

/** Runs it to its refusal; throws when it succeeds or fails without an answer. */
export async function refusedBy(work: Promise<unknown>): Promise<Refusal> {
  const refusal = await work.then(
    () => undefined,
    (error: unknown) => refusalOf(error) ?? Promise.reject(error),
  );
  if (refusal === undefined) throw new Error('it was not refused');
  return refusal;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Bytes that no compression and no chance makes equal to others', the same for the same name. */
export function bytesOf(name: string, length: number): Buffer {
  const key = createHash('sha256').update(name).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** Runs jobs in order of the list, at most `width` at a time; the first failure ends it. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++] as T);
  };
  const workers = Array.from({ length: width }, worker);
  try {
    await Promise.all(workers);
  } catch (error) {
    next = items.length;
    await Promise.allSettled(workers);
    throw error;
  }
}
