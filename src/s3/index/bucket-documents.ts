// A bucket's configuration: named documents (policy, CORS rules, lifecycle…), kept as they are put in one
// row of `buckets` beside the bucket's record, so that listing buckets never reads them. A document is
// whatever bytes its operation understands, XML or JSON mostly; here they are only kept.

import { assert } from '../../base/assert.ts';
import { bytes, type Carried, list, struct, text } from '../../base/codec.ts';

/** Each belongs to the operations named like it. Names stand in rows: they change only by adding. */
export const documentNames = [
  'accelerate',
  'acl',
  'cors',
  'encryption',
  'lifecycle',
  'logging',
  'notification',
  'object-lock',
  'ownership-controls',
  'policy',
  'public-access-block',
  'quota',
  'request-payment',
  'tagging',
  'versioning',
  'website',
] as const;
export type DocumentName = (typeof documentNames)[number];

/** A document: 1,000 lifecycle rules, S3's own limit, are about 300 kB of XML. */
export const documentBytesMax = 384 * 1024;

/** All documents of a bucket: one value, below what a call may write. */
export const configurationBytesMax = 1024 * 1024;

/** A name that a newer gateway made is kept, so there may be more than are known here. */
export const documentsMax = 64;

export const bucketDocument = struct({ name: text, body: bytes });
export const bucketDocuments = list(bucketDocument);
export type BucketDocument = Carried<typeof bucketDocument>;

export function sizeOfDocuments(documents: readonly BucketDocument[]): number {
  let size = 0;
  for (const { name, body } of documents) size += name.length + body.length + 16;
  return size;
}

/** The documents of one bucket as of one look. What a parser made of one is made once. */
export class BucketConfiguration {
  static readonly none = new BucketConfiguration([]);

  readonly sizeBytes: number;
  readonly #documents: ReadonlyMap<string, Uint8Array>;
  readonly #parsed = new Map<string, { readonly parse: unknown; readonly value: unknown }>();

  constructor(documents: readonly BucketDocument[]) {
    this.sizeBytes = sizeOfDocuments(documents);
    this.#documents = new Map(documents.map(({ name, body }) => [name, body]));
  }

  get isEmpty(): boolean {
    return this.#documents.size === 0;
  }

  get(name: DocumentName): Uint8Array | undefined {
    return this.#documents.get(name);
  }

  /** `parse` of the document; always give the same function for a name. */
  parsed<T>(name: DocumentName, parse: (body: Uint8Array) => T): T | undefined {
    const body = this.#documents.get(name);
    if (body === undefined) return undefined;
    const known = this.#parsed.get(name);
    if (known !== undefined) {
      assert(known.parse === parse, 'a document has one parser');
      return known.value as T;
    }
    const value = parse(body);
    this.#parsed.set(name, { parse, value });
    return value;
  }
}
