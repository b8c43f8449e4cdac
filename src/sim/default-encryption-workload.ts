// How a bucket encrypts what names nothing itself, put and deleted at one gateway while all put objects: each object is
// encrypted as a configuration says that may have been in force at its gateway when it was asked for, and stays so.
// Every object has a key of its own, written once.

import { emptyBytes, encodeUtf8, parseHex } from '../base/bytes.ts';
import type { Random } from '../env/random.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { kmsKey, type Way, wayOf } from './encryption-workload.ts';
import { elementOf, oneOf, S3Bucket, type S3Load } from './s3-bucket.ts';
import { md5Hex, type S3Call } from './s3-request.ts';
import { etagOf, S3Asker, S3Values } from './s3-values.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import { heardOfBucket, ToldValue } from './told-value.ts';

type Default = Extract<Way, 'plain' | 's3' | 'kms'>;

interface Sealed {
  readonly bucket: S3Bucket;
  readonly told: ToldValue<Default>;
}

interface Made {
  readonly path: string;
  readonly way: Way;
  readonly etag: string;
}

const defaults: readonly Default[] = ['plain', 's3', 'kms'];

/** A put without answer may be done much later, after another: its bucket is left for a new one, so often. */
const bucketsMax = 4;

export class DefaultEncryptionWorkload implements S3Load {
  readonly problems: string[] = [];
  readonly histories = { undecided: 0 };
  readonly asker = new S3Asker(this.problems);
  operations = 0;
  gateways: () => readonly SimulatedGateway[] = () => [];
  readonly #random: Random;
  readonly #now: () => number;
  readonly #values: S3Values;
  readonly #buckets: Sealed[] = [];
  readonly #made: Made[] = [];
  /** It is made, perhaps, and not used yet. */
  #begunBucket: S3Bucket | undefined;
  #isMakingBucket = false;
  #keys = 0;

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
    this.#values = new S3Values(random);
  }

  async prepare(gateway: SimulatedGateway): Promise<void> {
    const bucket = this.#newBucket();
    if ((await bucket.make(gateway)) !== undefined) this.#use(bucket);
  }

  async step(gateway: SimulatedGateway): Promise<void> {
    this.operations++;
    const sealed = this.#buckets.at(-1);
    if (sealed === undefined) return;
    switch (this.#random.below(10)) {
      case 0:
      case 1:
        return this.#change(gateway, sealed);
      case 2:
        return this.#makeBucketIfNeeded(gateway, sealed);
      case 3:
      case 4:
        return this.#read(gateway);
      case 5:
        return this.#copy(gateway, sealed);
      case 6:
        return this.#multipart(gateway, sealed);
      default:
        return this.#put(gateway, sealed);
    }
  }

  async readAll(gateway: SimulatedGateway): Promise<void> {
    for (const made of this.#made) await this.#check(gateway, made, 'must answer');
  }

  async removeAll(gateway: SimulatedGateway): Promise<void> {
    for (const { bucket } of this.#buckets) await bucket.remove(gateway);
    await this.#begunBucket?.removeBegun(gateway);
  }

  checkHistories(): string[] {
    return [];
  }

  #newBucket(): S3Bucket {
    return new S3Bucket(`by-default-${this.#buckets.length}`, this.asker, this.problems);
  }

  #use(bucket: S3Bucket): void {
    this.#begunBucket = undefined;
    this.#buckets.push({ bucket, told: new ToldValue<Default>('plain') });
  }

  async #makeBucketIfNeeded(gateway: SimulatedGateway, { told }: Sealed): Promise<void> {
    if (told.isChanging || told.isCertain || this.#isMakingBucket) return;
    if (this.#buckets.length >= bucketsMax) return;
    this.#isMakingBucket = true;
    const bucket = this.#newBucket();
    this.#begunBucket = bucket;
    const made = await this.asker.ask(gateway, { method: 'PUT', path: `/${bucket.name}` });
    // One that was made without an answer is made already, and nobody has configured it.
    if (made?.status === 200 || made?.status === 409) this.#use(bucket);
    this.#isMakingBucket = false;
  }

  async #change(gateway: SimulatedGateway, { bucket, told }: Sealed): Promise<void> {
    if (told.isChanging || !told.isCertain) return;
    const next = oneOf(
      this.#random,
      defaults.filter((each) => each !== told.newest),
    );
    const call = { path: `/${bucket.name}`, query: { encryption: '' } };
    told.isChanging = true;
    const change = told.begin(next, this.#now());
    const answer = await this.asker.ask(
      gateway,
      next === 'plain'
        ? { ...call, method: 'DELETE' }
        : { ...call, method: 'PUT', body: encodeUtf8(documentOf(next)) },
    );
    told.isChanging = false;
    if (answer === undefined || answer.status >= 500) return;
    if (answer.status >= 300)
      this.problems.push(`default encryption ${next} was answered ${answer.status}`);
    change.acknowledged = { at: this.#now(), gateway: gateway.name, revision: 0 };
  }

  #newPath({ bucket }: Sealed): string {
    return bucket.pathOf(`d-${this.#keys++}`);
  }

  /** How an object is encrypted, by whoever was asked for it then, and that it is one that may be. */
  #judge(
    asked: {
      readonly gateway: SimulatedGateway;
      readonly calledAt: number;
      /** Default: now. */
      readonly until?: number;
    },
    { told }: Sealed,
    path: string,
    answer: WholeResponse,
  ): Way {
    const way = wayOf(answer, 'none');
    const { gateway, calledAt, until = this.#now() } = asked;
    const possible = told.possible(heardOfBucket(gateway.name, calledAt), until);
    if (!possible.some((each) => each === way))
      this.problems.push(
        `${path}, asked of ${gateway.name} at ${calledAt.toFixed(1)} ms, is ${way}; the default may be ${possible.join('/')}`,
      );
    return way;
  }

  #keep(made: Made): void {
    this.#made.push(made);
  }

  async #put(gateway: SimulatedGateway, sealed: Sealed): Promise<void> {
    const path = this.#newPath(sealed);
    const { body, etag } = this.#values.makeUnique();
    const asked = { gateway, calledAt: this.#now() };
    const answer = await this.asker.ask(gateway, { method: 'PUT', path, body });
    if (answer?.status !== 200) return;
    this.#keep({ path, way: this.#judge(asked, sealed, path, answer), etag });
  }

  async #copy(gateway: SimulatedGateway, sealed: Sealed): Promise<void> {
    if (this.#made.length === 0) return;
    const source = oneOf(this.#random, this.#made);
    const path = this.#newPath(sealed);
    const asked = { gateway, calledAt: this.#now() };
    const headers = { 'x-amz-copy-source': source.path };
    const answer = await this.asker.ask(gateway, { method: 'PUT', path, headers });
    const until = this.#now();
    // A copy that fails after its answer has begun says so in the body.
    if (answer?.status !== 200 || elementOf(answer, 'ETag') === undefined) return;
    // Nor are there headers that would say how it is encrypted, then.
    const seen = await this.asker.ask(gateway, { method: 'HEAD', path });
    if (seen?.status !== 200) return;
    this.#keep({
      path,
      way: this.#judge({ ...asked, until }, sealed, path, seen),
      etag: source.etag,
    });
  }

  /** What was in force when it was begun is how it is encrypted, whatever changes before it is completed. */
  async #multipart(gateway: SimulatedGateway, sealed: Sealed): Promise<void> {
    const path = this.#newPath(sealed);
    const asked = { gateway, calledAt: this.#now() };
    const call = { method: 'POST', path };
    const begun = await this.asker.ask(gateway, { ...call, query: { uploads: '' } });
    if (begun?.status !== 200) return;
    const way = this.#judge(asked, sealed, path, begun);
    const query = { uploadId: elementOf(begun, 'UploadId') ?? '' };
    const { body, etag } = this.#values.makeUnique();
    const put = { method: 'PUT', path, query: { ...query, partNumber: '1' }, body };
    const part = await this.asker.ask(this.#anyGateway(gateway), put);
    if (part?.status !== 200) return;
    const list = `<Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>`;
    const document = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`;
    const done = await this.asker.ask(this.#anyGateway(gateway), {
      ...call,
      query,
      body: encodeUtf8(document),
    });
    if (done?.status !== 200 || elementOf(done, 'ETag') === undefined) return;
    this.#keep({ path, way, etag });
  }

  #anyGateway(mine: SimulatedGateway): SimulatedGateway {
    const all = this.gateways();
    return all[this.#random.below(Math.max(1, all.length))] ?? mine;
  }

  async #read(gateway: SimulatedGateway): Promise<void> {
    if (this.#made.length > 0) await this.#check(gateway, oneOf(this.#random, this.#made));
  }

  async #check(gateway: SimulatedGateway, made: Made, mode = 'may fail'): Promise<void> {
    const { path, way, etag } = made;
    const call: S3Call = { method: 'GET', path };
    const answer = await this.asker.ask(gateway, call);
    if (answer === undefined || answer.status >= 500) {
      if (mode === 'must answer') this.problems.push(`GET ${path} at the end: ${answer?.status}`);
      return;
    }
    if (answer.status !== 200) {
      this.problems.push(`${path} was stored and is answered ${answer.status}`);
      return;
    }
    const told = wayOf(answer, 'none');
    if (told !== way) this.problems.push(`${path} was stored as ${way} and is ${told}`);
    const fault = this.#values.faultOf(etag, answer.body, 0);
    if (fault !== undefined) this.problems.push(`${path}: ${fault}`);
    const name = etagOf(answer);
    if (name !== etag && name !== nameOfOnePart(etag))
      this.problems.push(`${path} has ETag ${name}, its bytes are ${etag}`);
  }
}

/** As what was uploaded in one part is called. */
function nameOfOnePart(etag: string): string {
  return `${md5Hex(parseHex(etag) ?? emptyBytes)}-1`;
}

function documentOf(way: Exclude<Default, 'plain'>): string {
  const algorithm =
    way === 's3'
      ? '<SSEAlgorithm>AES256</SSEAlgorithm>'
      : `<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>${kmsKey}</KMSMasterKeyID>`;
  const chosen = `<ApplyServerSideEncryptionByDefault>${algorithm}</ApplyServerSideEncryptionByDefault>`;
  return `<ServerSideEncryptionConfiguration><Rule>${chosen}</Rule></ServerSideEncryptionConfiguration>`;
}
