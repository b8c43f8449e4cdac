// Methods run beside the data: the primary of a PG runs them on one mutable object's rows and
// replicates the effects, never the call. They are pure: the same view, arguments and context give the
// same outcome. Calls on the objects of one PG run one at a time, in the order of their versions.

/** The name of an entry in a PG's log; ordered by tenure, then sequence. Unique and rising in a PG. */
export interface Version {
  readonly tenure: number;
  readonly sequence: number;
}

export type MethodRow = readonly [key: Uint8Array, value: Uint8Array];

/** What a method sees: the object's rows with every earlier call applied. Row keys are 1 to 3,072 bytes. */
export interface MethodView {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** Rows with `begin <= key < end` in order, at most `limit` (1 to 10,000). `end` undefined: to the last row. */
  scan(range: {
    readonly begin: Uint8Array;
    readonly end: Uint8Array | undefined;
    readonly limit: number;
    readonly reverse?: boolean;
  }): Promise<readonly MethodRow[]>;
}

export type RowEffect =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array };

export interface MethodContext {
  /**
   * Unique among the object's calls that have effects, and above those before; also when the object has come from another
   * placement group.
   */
  readonly version: Version;
  /** The primary's wall clock: to be shown, never to decide order. */
  readonly wallMs: number;
}

export interface MethodOutcome {
  /** All or nothing, at most 4 MiB together. None: nothing is logged and the answer is a read. */
  readonly effects: readonly RowEffect[];
  /** At most 4 MiB. Given to the caller once everything it depends on is committed. */
  readonly result: Uint8Array;
  /** It notes what is to be collected, or who is not to write any more: a full disk must take that too. */
  readonly reclaims?: true;
}

export type Method = (
  view: MethodView,
  argument: Uint8Array,
  context: MethodContext,
) => Promise<MethodOutcome>;

/** By name, e.g. `s3.put`. */
export type Methods = ReadonlyMap<string, Method>;
