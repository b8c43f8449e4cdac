// A random sequence of S3's operations on two buckets, from a seed: of one family, which says what is drawn. Steps name ids
// by the step that gave them.

import type { Choice } from '../../s3/testing/fuzz/choice.ts';
import type { Answer, Side, Step } from './side.ts';

/** What no sequence put there. */
export const absentKey = 'absent';

export type StepDraft = Omit<Step, 'name'>;

export type Draw = (s: Sequence) => StepDraft;

export interface Family {
  readonly name: string;
  readonly keys: readonly string[];
  /** In place of two plain buckets of the main user. */
  readonly first?: (s: Sequence) => readonly StepDraft[];
  /** What makes the two alike again after only one of them did the step. Default: nothing does, the sequence ends. */
  readonly repair?: (s: Sequence, step: Step) => StepDraft | undefined;
  /** Steps after which the two differ though both did or refused them: one did less, or more, than it says. */
  readonly diverges?: (step: Step, status: number) => boolean;
  /** What a step that both did makes true of its bucket, or of all (undefined): in place of what was told of the same subject. */
  readonly facts?: (step: Step) => FactsTold | undefined;
  /** What else than buckets is to be taken away again. */
  readonly last?: (s: Sequence) => readonly StepDraft[];
  /** Webhooks are told of what steps do, and that is compared too. */
  readonly tellsWebhooks?: boolean;
  /** What one service has alone, so that nothing else differs because of it. */
  readonly isAside?: (step: Step) => boolean;
  /** What the other service has nothing to compare with is held against what is documented: what is not as it is. */
  readonly plainly?: (exchanges: readonly Exchange[], holdfast: Side) => Promise<readonly Found[]>;
  readonly rules: readonly (readonly [weight: number, draw: Draw])[];
}

/** One of a sequence's steps, with Holdfast's answer. */
export interface Exchange {
  readonly step: Step;
  readonly answer: Answer;
}

export interface Found {
  readonly step: Step;
  readonly field: string;
  readonly holdfast: string;
  readonly documented: string;
}

export interface FactsTold {
  readonly subject: string;
  readonly bucket: string | undefined;
  readonly facts: readonly string[];
}

export interface Upload {
  readonly name: string;
  readonly path: string;
  /** What began it asked for, by header. */
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, string>;
}

/** What both services agreed on. */
export interface Agreed {
  readonly status: number;
  readonly etag: string | undefined;
  readonly hasVersion: boolean;
}

export class Sequence {
  readonly c: Choice;
  readonly buckets: readonly [string, string];
  readonly #family: Family;
  /** Of steps that put a version, with where; of uploads; of listings that may go on. */
  readonly #versions: { readonly name: string; readonly path: string }[] = [];
  readonly #uploads: Upload[] = [];
  readonly #etags: string[] = [];
  readonly #sessions: string[] = [];
  /** By bucket, or `*`, and subject. */
  readonly #facts = new Map<string, readonly string[]>();
  #count = 0;

  constructor(c: Choice, prefix: string, family: Family) {
    this.c = c;
    this.buckets = [`${prefix}-a`, `${prefix}-b`];
    this.#family = family;
  }

  bucket(): string {
    return `/${this.c.of(this.buckets)}`;
  }

  object(): string {
    return `${this.bucket()}/${this.c.percent(92) ? this.c.of(this.#family.keys) : absentKey}`;
  }

  /** Often a version that is known, else what is newest. */
  version(chance = 25): { readonly path: string; readonly query: Record<string, string> } {
    const { c } = this;
    const known = this.#versions.length > 0 ? c.of(this.#versions) : undefined;
    if (known === undefined || !c.percent(chance)) return { path: this.object(), query: {} };
    return {
      path: known.path,
      query: { versionId: c.percent(90) ? `{version:${known.name}}` : 'null' },
    };
  }

  upload(): Upload | undefined {
    return this.#uploads.length > 0 ? this.c.of(this.#uploads) : undefined;
  }

  /** The step that was given keys by both; undefined: none was. */
  session(): string | undefined {
    return this.#sessions.length > 0 ? this.c.of(this.#sessions) : undefined;
  }

  etag(): string {
    return this.#etags.length > 0 && this.c.percent(80) ? this.c.of(this.#etags) : '"0"';
  }

  body(): Uint8Array {
    return this.c.bytes(this.c.of([0, 1, 11, 1000, 17_000, 100_000]));
  }

  first(): Step[] {
    const plain = (): StepDraft[] =>
      this.buckets.map((bucket) => ({
        ...{ action: 'CreateBucket', method: 'PUT', path: `/${bucket}` },
      }));
    const drafts = this.#family.first?.(this) ?? plain();
    return drafts.map((draft) => ({ ...draft, name: this.#name() }));
  }

  last(): Step[] {
    return (this.#family.last?.(this) ?? []).map((draft) => ({ ...draft, name: this.#name() }));
  }

  /** What makes the two alike again after only one of them did the step; undefined when nothing does. */
  repairOf(step: Step): Step | undefined {
    const draft = this.#family.repair?.(this, step);
    return draft === undefined ? undefined : { ...draft, name: this.#name() };
  }

  #name(): string {
    return `s${++this.#count}`;
  }

  next(): Step {
    const name = this.#name();
    const draft = this.c.weighted(this.#family.rules)(this);
    const source = draft.headers?.['x-amz-copy-source'] ?? '';
    const ofSource = this.#factsOf(source).map((fact) => `source ${fact}`);
    const step: Step = { ...draft, name, facts: [...this.#factsOf(draft.path), ...ofSource] };
    if (step.action === 'CreateMultipartUpload')
      this.#uploads.push({ name, path: step.path, headers: step.headers ?? {}, parts: new Map() });
    return step;
  }

  #factsOf(path: string): readonly string[] {
    const bucket = path.split('/')[1] ?? '';
    return [...this.#facts].flatMap(([key, facts]) => {
      const [of] = key.split(' ');
      return of === '*' || of === bucket ? facts : [];
    });
  }

  isAside(step: Step): boolean {
    return this.#family.isAside?.(step) === true;
  }

  diverges(step: Step, status: number): boolean {
    return this.#family.diverges?.(step, status) === true;
  }

  /** What a step's answer teaches: only what both services agree on. */
  learn(step: Step, { status, etag, hasVersion }: Agreed): void {
    if (status >= 300) {
      if (step.action === 'CreateMultipartUpload') this.#uploads.pop();
      return;
    }
    if (/^(AssumeRole|GetSessionToken)$/.test(step.action)) this.#sessions.push(step.name);
    const told = this.#family.facts?.(step);
    if (told !== undefined) this.#facts.set(`${told.bucket ?? '*'} ${told.subject}`, told.facts);
    if (etag !== undefined && /Object$/.test(step.action)) this.#etags.push(etag);
    if (
      hasVersion &&
      /^(Put|Post|Delete)Object$/.test(step.action) &&
      step.query?.versionId === undefined
    )
      this.#versions.push({ name: step.name, path: step.path });
    const of = this.#uploads.findIndex(({ name }) => step.query?.uploadId === `{upload:${name}}`);
    if (step.action === 'UploadPart' && etag !== undefined)
      this.#uploads[of]?.parts.set(Number(step.query?.partNumber), etag);
    if (/^(Complete|Abort)MultipartUpload$/.test(step.action) && of >= 0 && this.c.percent(70))
      this.#uploads.splice(of, 1);
  }
}

const deletable = /^(cors|encryption|lifecycle|policy|publicAccessBlock|tagging|website)$/;

/** Where no versions are kept: takes away what one of them may have put. */
export function takeAway({ path, query, action, name }: Step): StepDraft | undefined {
  if (action === 'CreateMultipartUpload') {
    const uploadId = `{upload:${name}}`;
    return { action: 'AbortMultipartUpload', method: 'DELETE', path, query: { uploadId } };
  }
  if (/^(Put|Copy|Post|Delete)Object$/.test(action))
    return { action: 'DeleteObject', method: 'DELETE', path };
  const [subresource = ''] = Object.keys(query ?? {});
  if (!deletable.test(subresource)) return undefined;
  return { action: 'Delete', method: 'DELETE', path, query: { [subresource]: '' } };
}
