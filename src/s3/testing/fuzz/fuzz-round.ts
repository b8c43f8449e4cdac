// One round of fuzzing: a fresh gateway on a cluster in memory and manual time, and a number of requests that one
// seed decides, some at the same time. After each few: every answer is in order, nothing failed or was reported as
// the gateway's own fault, and nothing is held any more.

import { buffers } from '../../../base/buffer-pool.ts';
import type { HttpRequest } from '../../../env/http.ts';
import { alice, settle, startTestGateway, type TestGateway } from '../gateway-suite.ts';
import { type Answer, answerFault } from './answer-checks.ts';
import { Choice } from './choice.ts';
import { browserForm, type NamedRequest, queryForm } from './form-grammar.ts';
import { Known } from './known.ts';
import { loggingPolicy } from './policy-grammar.ts';
import { type Draft, draftRequest, type GrammarState } from './request-grammar.ts';
import { hostNames, signDraft, websiteNames } from './request-signing.ts';

/** 2026-01-01; dates in the grammar lie on both sides of it. */
const beginMs = 1_767_225_600_000;

const atOnceMax = 5;

/** Turns of the event loop that an answer may take before time is moved for it, and altogether. */
const turnsBeforeTime = 40;
const turnsMax = 4000;

/** What was seen, as `name status code`, and how often. */
export type Seen = Map<string, number>;

export class FuzzFailure extends Error {
  override readonly name = 'FuzzFailure';
}

function describe(request: HttpRequest): string {
  const headers = request.headers.map(([name, value]) => `${name}: ${value.slice(0, 300)}`);
  return [`${request.method} ${request.target.slice(0, 500)}`, ...headers].join('\n  ');
}

class Round {
  readonly #seed: number;
  readonly #gateway: TestGateway;
  readonly #state: GrammarState;
  readonly #seen: Seen;
  #count = 0;

  constructor(seed: number, gateway: TestGateway, seen: Seen) {
    this.#seed = seed;
    this.#gateway = gateway;
    this.#state = { c: new Choice(seed), known: new Known() };
    this.#seen = seen;
  }

  async run(requests: number): Promise<void> {
    const { c } = this.#state;
    c.isCalm = true;
    for (const name of ['first', 'second', 'third', 'logs', 'locked']) await this.#make(name);
    while (this.#count < requests) {
      const size = c.percent(70) ? 1 : c.between(2, atOnceMax);
      await this.#together(Array.from({ length: size }, () => this.#draw()));
      // Jobs: lifecycle rules, splits, garbage, access logs.
      if (c.percent(0.4)) await this.#gateway.clock.advance(c.of([1000, 61_000, 200_000]));
    }
    await this.#gateway.clock.advance(200_000);
    this.#expectNothingHeld('at the end');
  }

  /** Buckets, one of them for locks and one that takes access logs. */
  async #make(name: string): Promise<void> {
    const headers: [string, string][] =
      name === 'locked' ? [['x-amz-bucket-object-lock-enabled', 'true']] : [];
    const place = { bucket: name, key: '', host: 'localhost', method: 'PUT' };
    const put = { name: 'bucket PUT', ...place, query: [], headers };
    await this.#send({ ...put, body: new Uint8Array(0), hasBody: false });
    if (name !== 'logs') return;
    const policy = { name: 'bucket PUT policy', ...place, headers: [], hasBody: true };
    const body = new TextEncoder().encode(loggingPolicy);
    await this.#send({ ...policy, query: [['policy', '']], body });
  }

  async #send(draft: Draft): Promise<void> {
    const { name, bucket, key } = draft;
    const request = signDraft(this.#state.c, draft, alice, this.#gateway.wallMs);
    await this.#together([{ name, bucket, key, request }]);
  }

  #draw(): NamedRequest {
    const { c, known } = this.#state;
    const { wallMs } = this.#gateway;
    c.isCalm = c.percent(55);
    const signer = c.isCalm ? alice : known.signer(c);
    const kind = c.below(100);
    if (kind < 5) return browserForm(this.#state, signer, wallMs);
    if (kind < 18) return queryForm(this.#state, signer, wallMs);
    const draft = draftRequest(this.#state);
    const { name, bucket, key } = draft;
    return { name, bucket, key, request: signDraft(c, draft, signer, wallMs) };
  }

  async #together(requests: readonly NamedRequest[]): Promise<void> {
    const answers = requests.map(({ request }) => this.#answer(request));
    for (const [index, named] of requests.entries()) {
      const answer = await this.#drive(answers[index] as Promise<Answer>, named.request);
      this.#judge(named, answer);
    }
    this.#count += requests.length;
    this.#expectNothingHeld(requests.map(({ request }) => describe(request)).join('\n'));
  }

  /** Reads the answer to its end, or goes away in the middle. */
  async #answer(request: HttpRequest): Promise<Answer> {
    const leaves = this.#state.c.percent(3) ? this.#state.c.below(3) : Number.POSITIVE_INFINITY;
    const response = await this.#gateway.handle(request);
    const { body } = response;
    if (body === undefined || body instanceof Uint8Array)
      return { response, body: body ?? new Uint8Array(0) };
    const pieces: Uint8Array[] = [];
    try {
      for (let taken = 0; ; taken++) {
        if (taken >= leaves) return { response, body: undefined };
        const piece = await body.next();
        if (piece === undefined) return { response, body: Buffer.concat(pieces) };
        pieces.push(piece.slice());
        buffers.release(piece);
      }
    } finally {
      body.close?.();
    }
  }

  /** Lets time pass where an answer waits for it. */
  async #drive(work: Promise<Answer>, request: HttpRequest): Promise<Answer> {
    let outcome: { readonly answer: Answer } | { readonly error: unknown } | undefined;
    work.then(
      (answer) => {
        outcome = { answer };
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    for (let turn = 0; outcome === undefined; turn++) {
      if (turn > turnsMax) this.#fail('no answer', describe(request));
      if (turn > turnsBeforeTime && turn % 10 === 0) await this.#gateway.clock.advance(2000);
      await settle();
    }
    if ('error' in outcome)
      this.#fail(`the handler threw ${String(outcome.error)}`, describe(request));
    return outcome.answer;
  }

  #judge(named: NamedRequest, answer: Answer): void {
    const { name, request } = named;
    const { response } = answer;
    const fault = answerFault(request.method, answer);
    const text = Buffer.from(answer.body ?? []).toString('utf8', 0, 4000);
    if (fault !== undefined) this.#fail(fault, `${describe(request)}\n\n${text}`);
    const code = response.status < 400 ? '' : ` ${/<Code>([^<]*)</.exec(text)?.[1] ?? '?'}`;
    const outcome = `${name} ${response.status}${code}`;
    this.#seen.set(outcome, (this.#seen.get(outcome) ?? 0) + 1);
    if (response.status >= 300) return;
    const { known } = this.#state;
    const [, short = ''] = /^\w+ (.*)$/.exec(name) ?? [];
    known.learn({ name: short, bucket: named.bucket, key: named.key }, response, text);
    const query = new URLSearchParams(request.target.split('?')[1]);
    const [upload, number] = [query.get('uploadId'), Number(query.get('partNumber'))];
    const etag =
      response.headers.find(([each]) => each === 'etag')?.[1] ?? /<ETag>([^<]*)</.exec(text)?.[1];
    if (upload !== null && /^(POST|DELETE) uploadId$/.test(short)) known.forgetUpload(upload);
    if (short === 'PUT uploadId' && upload !== null && number > 0 && etag !== undefined)
      known.learnPart({ upload, number, etag: etag.replaceAll('&quot;', '"') });
  }

  #expectNothingHeld(after: string): void {
    const { gateway, failures, logged } = this.#gateway;
    if (failures.length > 0) this.#fail(`a task failed: ${inspect(failures[0])}`, after);
    const reported = logged.find((line) => line.startsWith('{"level":"error"'));
    if (reported !== undefined) this.#fail(reported, after);
    logged.length = 0;
    const { bufferedBytes, readsUnderWay } = gateway.load();
    if (bufferedBytes !== 0) this.#fail(`${bufferedBytes} bytes stay charged`, after);
    if (readsUnderWay !== 0) this.#fail(`${readsUnderWay} reads never end`, after);
    if (buffers.outCount !== 0) this.#fail(`${buffers.outCount} pooled buffers are lost`, after);
  }

  #fail(what: string, where: string): never {
    throw new FuzzFailure(`seed ${this.#seed}, request ${this.#count}: ${what}\n${where}`);
  }
}

function inspect(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Throws `FuzzFailure`, with the seed and the request, at the first thing that is not as it must be. */
export async function fuzzRound(seed: number, requests: number, seen: Seen): Promise<void> {
  const gateway = await startTestGateway({
    time: 'manual',
    seed,
    wallMs: beginMs,
    hostNames,
    websiteNames,
    kmsKeys: ['key-1'],
    budgetBytes: 16 * 1024 * 1024,
    lifecycleDayMs: 60_000,
    lifecycleIntervalMs: 60_000,
    loggingRollMs: 20_000,
    garbageGraceMs: 30_000,
    garbageBlobsPerSecond: 1_000_000,
    shardEntriesMax: 30,
  });
  try {
    await new Round(seed, gateway, seen).run(requests);
  } finally {
    await gateway.gateway.close();
  }
}
