// What an action of IAM is: a pure step from the directory and the request's parameters to an answer and, where it
// changes something, the directory after it. Who is asked whether it may, and how the change is made durable, is
// `query-api.ts`'s.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { Directory, Entity } from '../../map/directory.ts';
import { formatIsoDate } from '../protocol/dates.ts';
import { S3Error } from '../protocol/errors.ts';
import { checkNewPolicy, type PolicyKind, parsePolicy } from '../protocol/policy.ts';
import { parseCount } from '../protocol/request.ts';
import { element, textElement } from '../protocol/xml.ts';
import { IamError } from './errors.ts';
import { arnOf, type Identity } from './identities.ts';

export type Parameters = ReadonlyMap<string, string>;

export interface ActionContext {
  readonly directory: Directory;
  readonly identity: Identity;
  readonly parameters: Parameters;
  readonly nowMs: number;
  /** Letters and digits that nothing else was given. */
  newId(prefix: string): string;
  newKey(): { readonly id: string; readonly secret: string };
}

export interface ActionAnswer {
  /** XML inside the element `…Result`; empty: there is no such element. */
  readonly result: string;
  /** What it is from now on, but for its revision. */
  readonly directory?: Directory;
}

export interface Action {
  /** The ARN that policies must allow it on. */
  resource(context: ActionContext): string;
  /** Of what is renamed: the ARN that it will have, which they must allow too. */
  newResource?(context: ActionContext): string;
  run(context: ActionContext): ActionAnswer;
}

export type Kind = 'user' | 'group' | 'role';

/** `charactersMax` is of a name, as at AWS. */
export const kinds = {
  user: { list: 'users', parameter: 'UserName', title: 'User', charactersMax: 64 },
  group: { list: 'groups', parameter: 'GroupName', title: 'Group', charactersMax: 128 },
  role: { list: 'roles', parameter: 'RoleName', title: 'Role', charactersMax: 64 },
} as const;

export type EntityOf<K extends Kind> = Directory[(typeof kinds)[K]['list']][number];

/** Throws `MissingParameter`. */
export function parameter({ parameters }: ActionContext, name: string): string {
  const value = parameters.get(name);
  if (value === undefined || value === '')
    throw new IamError('MissingParameter', `The request must contain the parameter ${name}`);
  return value;
}

/** Throws `ValidationError`. */
export function checkedName(name: string, charactersMax: number): string {
  if (!/^[\w+=,.@-]+$/.test(name) || name.length > charactersMax)
    throw new IamError(
      'ValidationError',
      `${name.slice(0, 200)}: a name has 1 to ${charactersMax} letters, digits and _+=,.@-`,
    );
  return name;
}

export function pathParameter({ parameters }: ActionContext, name: string): string | undefined {
  const path = parameters.get(name);
  if (path !== undefined && (!/^\/([\x21-\x7e]+\/)?$/.test(path) || path.length > 512))
    throw new IamError('ValidationError', 'A path begins and ends with a slash');
  return path;
}

function isNamed(entity: Entity, account: string, lowerName: string): boolean {
  return entity.account === account && entity.name.toLowerCase() === lowerName;
}

/** In the requester's account, whatever the case. An account's root is found by nobody. */
export function lookFor<K extends Kind>(
  { directory, identity }: ActionContext,
  kind: K,
  name: string,
): EntityOf<K> | undefined {
  const list = directory[kinds[kind].list] as readonly EntityOf<K>[];
  const lower = name.toLowerCase();
  return list.find(
    (each) => isNamed(each, identity.account, lower) && !('isRoot' in each && each.isRoot),
  );
}

/** The one that the request names. Throws `NoSuchEntity`. */
export function find<K extends Kind>(context: ActionContext, kind: K): EntityOf<K> {
  const name = parameter(context, kinds[kind].parameter);
  const found = lookFor(context, kind, name);
  if (found === undefined)
    throw new IamError(
      'NoSuchEntity',
      `The ${kind} with name ${name.slice(0, 128)} cannot be found.`,
    );
  return found;
}

/** Throws `EntityAlreadyExists`. */
export function checkFree(context: ActionContext, kind: Kind, name: string, self?: Entity): void {
  const { directory, identity } = context;
  const list: readonly Entity[] = directory[kinds[kind].list];
  const lower = name.toLowerCase();
  if (list.some((each) => each !== self && isNamed(each, identity.account, lower)))
    throw new IamError('EntityAlreadyExists', `${kinds[kind].title} with name ${name} exists.`);
}

export function withEntity<K extends Kind>(
  directory: Directory,
  kind: K,
  before: EntityOf<K> | undefined,
  after: EntityOf<K> | undefined,
): Directory {
  const { list } = kinds[kind];
  const entities = directory[list] as readonly EntityOf<K>[];
  const kept = entities.flatMap((each) =>
    each !== before ? [each] : after === undefined ? [] : [after],
  );
  if (before === undefined && after !== undefined) kept.push(after);
  return { ...directory, [list]: kept };
}

/** The ARN of what the request names, or would name if it were there. */
export function namedResource(kind: Kind): Action['resource'] {
  return (context) => {
    const name = context.parameters.get(kinds[kind].parameter);
    const { account, arn } = context.identity;
    if (name === undefined) return kind === 'user' ? arn : `arn:aws:iam::${account}:${kind}/*`;
    const found = lookFor(context, kind, name);
    if (found !== undefined) return arnOf(kind, found);
    const path = context.parameters.get('Path') ?? '/';
    return `arn:aws:iam::${account}:${kind}${path}${name}`;
  };
}

export function listedResource(kind: Kind): Action['resource'] {
  return ({ identity }) => `arn:aws:iam::${identity.account}:${kind}/*`;
}

export function entityElements(kind: Kind, entity: Entity): string {
  const { parameter: nameElement, title } = kinds[kind];
  return [
    textElement('Path', entity.path),
    textElement(nameElement, entity.name),
    textElement(`${title}Id`, entity.id),
    textElement('Arn', arnOf(kind, entity)),
    textElement('CreateDate', formatIsoDate(entity.createdMs)),
  ].join('');
}

/** What a list may hold when nothing is said, as at AWS; and at most. */
const itemsDefault = 100;
const itemsMax = 1000;

/** A page in order of `keyOf`, with what says whether there are more. `member` elements in one named `name`. */
export function page<T>(
  context: ActionContext,
  name: string,
  items: readonly T[],
  how: { readonly keyOf: (item: T) => string; readonly show: (item: T) => string },
): string {
  const asked = context.parameters.get('MaxItems');
  const limit = asked === undefined ? itemsDefault : parseCount(asked);
  if (limit === undefined || limit < 1 || limit > itemsMax)
    throw new IamError('ValidationError', `MaxItems is a number from 1 to ${itemsMax}`);
  const after = context.parameters.get('Marker');
  const sorted = items
    .map((item) => ({ item, key: how.keyOf(item) }))
    .filter(({ key }) => after === undefined || key > after)
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const shown = sorted.slice(0, limit);
  const isTruncated = shown.length < sorted.length;
  return [
    element(name, ...shown.map(({ item }) => element('member', how.show(item)))),
    textElement('IsTruncated', isTruncated),
    isTruncated ? textElement('Marker', shown.at(-1)?.key) : '',
  ].join('');
}

/** Text without elements of its own in a list. */
export function bareMember(text: string): string {
  // `element` takes XML; `textElement` escapes.
  return textElement('x', text).slice('<x>'.length, -'</x>'.length);
}

/** Throws `MalformedPolicyDocument`. */
export function checkDocument(document: string, kind: PolicyKind): void {
  try {
    checkNewPolicy(parsePolicy(encodeUtf8(document), kind), kind);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    throw new IamError('MalformedPolicyDocument', error.message);
  }
}
