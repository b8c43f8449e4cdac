// Policies of buckets, of users and of roles: JSON in, a verdict on one request out. What is not understood is refused
// when the policy is put, so that no statement is ever half obeyed.

import { addressBytes } from './addresses.ts';
import { parseHttpDate, parseIsoDate } from './dates.ts';
import { S3Error } from './errors.ts';
import { decodeStrictUtf8 } from './percent.ts';
import { isConditionKey, s3Actions } from './policy-vocabulary.ts';

/** S3's own limit. */
export const policyBytesMax = 20 * 1024;

type Json = Readonly<Record<string, unknown>>;

/** Values of condition keys, names in lower case; several values of one key are a set. */
export type PolicyContext = (key: string) => readonly string[] | undefined;

export interface Condition {
  readonly operator: string;
  readonly ifExists: boolean;
  readonly quantifier: 'all' | 'any' | undefined;
  readonly key: string;
  readonly values: readonly string[];
}

type Principals = 'everybody' | readonly string[];

export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly principals: Principals;
  readonly services: readonly string[];
  readonly notPrincipal: boolean;
  readonly actions: readonly string[];
  readonly notAction: boolean;
  readonly resources: readonly string[];
  readonly notResource: boolean;
  readonly conditions: readonly Condition[];
}

/**
 * What a policy hangs on. A bucket's names who, what and where; an identity's says nothing of who; the one that says
 * who may take a role nothing of where. A topic's is as a bucket's, for other resources.
 */
export type PolicyKind = 'bucket' | 'identity' | 'trust' | 'topic';

export interface Policy {
  readonly statements: readonly Statement[];
}

export interface PolicyQuestion {
  /** What the asker may be named by. Empty: nobody in particular. */
  readonly principals: readonly string[];
  /** A service of ours that asks, as policies name it. */
  readonly service?: string;
  readonly action: string;
  /** An ARN. */
  readonly resource: string;
  readonly context: PolicyContext;
}

function malformed(words: string): S3Error {
  return new S3Error('MalformedPolicy', words);
}

function textsOf(value: unknown, name: string): readonly string[] {
  const list = Array.isArray(value) ? value : [value];
  return list.map((item: unknown) => {
    if (typeof item === 'boolean' || typeof item === 'number') return String(item);
    if (typeof item !== 'string') throw malformed(`${name} must be text`);
    return item;
  });
}

function objectOf(value: unknown, name: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(`${name} must be an object`);
  return value as Json;
}

/** Of resources of S3, before `BUCKET` or `BUCKET/KEY`. */
export const resourcePrefix = 'arn:aws:s3:::';

function parsePrincipals(value: unknown): Pick<Statement, 'principals' | 'services'> {
  if (value === '*') return { principals: 'everybody', services: [] };
  const names: string[] = [];
  const services: string[] = [];
  let everybody = false;
  for (const [kind, who] of Object.entries(objectOf(value, 'Principal'))) {
    for (const text of textsOf(who, 'Principal')) {
      switch (kind) {
        case 'AWS': {
          if (text === '*') {
            everybody = true;
            break;
          }
          // Of an account, users are named by the whole of their ARN; without one, by name.
          const isOfAccount = /^arn:aws:iam::\d{12}:user\//.test(text);
          const user = isOfAccount
            ? text
            : /^arn:aws:iam::[^:]*:user\/(?:.*\/)?([^/]+)$/.exec(text)?.[1];
          const root = /^arn:aws:iam::([^:]+):root$/.exec(text)?.[1];
          const other = /^arn:aws:(?:iam|sts)::/.test(text) ? text : undefined;
          const name = user ?? root ?? other ?? (text.startsWith('arn:') ? undefined : text);
          if (name === undefined) throw malformed('Invalid principal in policy');
          names.push(name);
          break;
        }
        case 'CanonicalUser':
          names.push(text);
          break;
        case 'Service':
          services.push(text);
          break;
        case 'Federated':
          break;
        default:
          throw malformed('Invalid principal in policy');
      }
    }
  }
  return { principals: everybody ? 'everybody' : names, services };
}

type Test = (actual: string, expected: string) => boolean;

const numeric =
  (test: (a: number, b: number) => boolean): Test =>
  (actual, expected) =>
    test(Number(actual), Number(expected));

const dated =
  (test: (a: number, b: number) => boolean): Test =>
  (actual, expected) => {
    const [a, b] = [actual, expected].map((text) =>
      /^\d+$/.test(text) ? Number(text) * 1000 : (parseIsoDate(text) ?? parseHttpDate(text)),
    );
    return a !== undefined && b !== undefined && test(a, b);
  };

/** `*` for any text, `?` for one character. Takes time in the product of the lengths, at most. */
export function matchesPattern(pattern: string, text: string): boolean {
  let at = 0;
  let patternAt = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (at < text.length) {
    const wanted = pattern[patternAt];
    if (wanted === '*') {
      starAt = patternAt++;
      resumeAt = at;
    } else if (patternAt < pattern.length && (wanted === '?' || wanted === text[at])) {
      patternAt++;
      at++;
    } else if (starAt >= 0) {
      patternAt = starAt + 1;
      at = ++resumeAt;
    } else return false;
  }
  while (pattern[patternAt] === '*') patternAt++;
  return patternAt === pattern.length;
}

/** Throws nothing: what is no range holds nobody. */
function inRange(address: string, range: string): boolean {
  const [base = '', lengthText] = range.split('/');
  const bits = addressBytes(base);
  const actual = addressBytes(address.startsWith('::ffff:') ? address.slice(7) : address);
  if (bits === undefined || actual?.length !== bits.length) return false;
  let left = lengthText === undefined ? bits.length * 8 : Number(lengthText);
  if (!(left >= 0 && left <= bits.length * 8)) return false;
  for (const [i, byte] of bits.entries()) {
    if (left <= 0) return true;
    const mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    if (((actual[i] ?? 0) & mask) !== (byte & mask)) return false;
    left -= 8;
  }
  return true;
}

const tests: Readonly<Record<string, Test>> = {
  StringEquals: (a, b) => a === b,
  StringEqualsIgnoreCase: (a, b) => a.toLowerCase() === b.toLowerCase(),
  StringLike: (a, b) => matchesPattern(b, a),
  ArnEquals: (a, b) => matchesPattern(b, a),
  ArnLike: (a, b) => matchesPattern(b, a),
  BinaryEquals: (a, b) => a === b,
  Bool: (a, b) => a.toLowerCase() === b.toLowerCase(),
  NumericEquals: numeric((a, b) => a === b),
  NumericLessThan: numeric((a, b) => a < b),
  NumericLessThanEquals: numeric((a, b) => a <= b),
  NumericGreaterThan: numeric((a, b) => a > b),
  NumericGreaterThanEquals: numeric((a, b) => a >= b),
  DateEquals: dated((a, b) => a === b),
  DateLessThan: dated((a, b) => a < b),
  DateLessThanEquals: dated((a, b) => a <= b),
  DateGreaterThan: dated((a, b) => a > b),
  DateGreaterThanEquals: dated((a, b) => a >= b),
  IpAddress: inRange,
};

/** True of what does not hold, and of what is not there. */
const negated: Readonly<Record<string, string>> = {
  StringNotEquals: 'StringEquals',
  StringNotEqualsIgnoreCase: 'StringEqualsIgnoreCase',
  StringNotLike: 'StringLike',
  ArnNotEquals: 'ArnEquals',
  ArnNotLike: 'ArnLike',
  NumericNotEquals: 'NumericEquals',
  DateNotEquals: 'DateEquals',
  NotIpAddress: 'IpAddress',
};

function parseConditions(value: unknown, kind: PolicyKind): readonly Condition[] {
  if (value === undefined) return [];
  const conditions: Condition[] = [];
  for (const [named, keys] of Object.entries(objectOf(value, 'Condition'))) {
    const match = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/.exec(named);
    const operator = match?.[2] ?? '';
    if (operator !== 'Null' && !Object.hasOwn(tests, operator) && !Object.hasOwn(negated, operator))
      throw malformed(`Invalid condition operator: ${operator.slice(0, 100)}`);
    const quantifier =
      match?.[1] === undefined ? undefined : match[1] === 'ForAllValues' ? 'all' : 'any';
    for (const [key, value] of Object.entries(objectOf(keys, operator))) {
      const values = textsOf(value, key);
      if (kind !== 'bucket') values.forEach(checkVariables);
      conditions.push({
        operator,
        ifExists: match?.[3] !== undefined,
        quantifier,
        key: key.toLowerCase(),
        values,
      });
    }
  }
  return conditions;
}

function oneOf(statement: Json, name: string): { readonly value: unknown; readonly not: boolean } {
  const not = statement[`Not${name}`];
  const plain = statement[name];
  if ((plain === undefined) === (not === undefined))
    throw malformed(`A statement needs ${name} or Not${name}`);
  return { value: plain ?? not, not: plain === undefined };
}

const statementFields = new Set([
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
]);

/** What may stand in resources and in values of conditions for what the request says. */
const variables = /\$\{(aws:username|aws:userid)\}/g;

function checkVariables(text: string): void {
  if (text.replace(variables, '').includes('${')) throw malformed('Policy has an unknown variable');
}

function parseResources(value: unknown, kind: PolicyKind): readonly string[] {
  return textsOf(value, 'Resource').map((each) => {
    if (each === '*') return '*';
    if (!each.startsWith(kind === 'bucket' ? resourcePrefix : 'arn:'))
      throw malformed('Policy has invalid resource');
    if (kind === 'identity') checkVariables(each);
    return each;
  });
}

function noneOf(statement: Json, name: string, kind: PolicyKind): void {
  for (const each of [name, `Not${name}`])
    if (statement[each] !== undefined)
      throw malformed(`A policy of this kind has no ${each}: ${kind}`);
}

function parseStatement(value: unknown, kind: PolicyKind): Statement {
  const statement = objectOf(value, 'Statement');
  for (const name of Object.keys(statement))
    if (!statementFields.has(name)) throw malformed(`Unknown field ${name.slice(0, 100)}`);
  const { Effect: effect } = statement;
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed('Invalid effect');
  if (kind === 'identity') noneOf(statement, 'Principal', kind);
  if (kind === 'trust') noneOf(statement, 'Resource', kind);
  const everything = { value: '*', not: false };
  const principal = kind === 'identity' ? everything : oneOf(statement, 'Principal');
  const action = oneOf(statement, 'Action');
  const resource = kind === 'trust' ? everything : oneOf(statement, 'Resource');
  if (principal.not && effect === 'Allow')
    throw malformed('Allow with NotPrincipal is not allowed');
  const actions = textsOf(action.value, 'Action');
  for (const each of actions)
    if (each !== '*' && !/^[a-z0-9-]+:[A-Za-z0-9*?]+$/i.test(each))
      throw malformed('Policy has invalid action');
  return {
    effect,
    ...parsePrincipals(principal.value),
    notPrincipal: principal.not,
    actions: actions.map((each) => each.toLowerCase()),
    notAction: action.not,
    resources: parseResources(resource.value, kind),
    notResource: resource.not,
    conditions: parseConditions(statement.Condition, kind),
  };
}

function checkStatementIds(list: readonly unknown[]): void {
  const ids = list.flatMap((each) => {
    const { Sid: id } = objectOf(each, 'Statement');
    return id === undefined ? [] : [id];
  });
  if (new Set(ids).size < ids.length) throw malformed('Statement ids (Sid) must be unique');
}

/** Throws `MalformedPolicy`. */
export function parsePolicy(body: Uint8Array, kind: PolicyKind = 'bucket'): Policy {
  if (body.length > policyBytesMax) throw malformed('The policy is longer than 20 KiB');
  let value: unknown;
  try {
    value = JSON.parse(decodeStrictUtf8(body) ?? '');
  } catch {
    throw malformed('Policies must be valid JSON and the first byte must be "{"');
  }
  const root = objectOf(value, 'A policy');
  const { Version: version, Statement: statements } = root;
  if (version !== undefined && version !== '2012-10-17' && version !== '2008-10-17')
    throw malformed('The policy must contain a valid version string');
  const list = Array.isArray(statements) ? (statements as readonly unknown[]) : [statements];
  if (list.length === 0 || list[0] === undefined)
    throw malformed('Missing required field Statement');
  if (kind === 'identity') checkStatementIds(list);
  return { statements: list.map((each) => parseStatement(each, kind)) };
}

/**
 * What is refused of a new policy, and is no reason not to read one that was kept: keys of conditions that are unknown
 * here, and in a bucket's policy, as AWS has it, actions that are none of S3's. Throws `MalformedPolicy`.
 */
export function checkNewPolicy(policy: Policy, kind: PolicyKind): void {
  for (const { conditions, actions } of policy.statements) {
    for (const { key } of conditions)
      if (!isConditionKey(key))
        throw malformed(`Policy has an invalid condition key: ${key.slice(0, 100)}`);
    if (kind !== 'bucket') continue;
    for (const pattern of actions)
      if (!s3Actions.some((action) => matchesPattern(pattern, action)))
        throw malformed(`Policy has invalid action: ${pattern.slice(0, 100)}`);
  }
}

/** Undefined: there is one that the request says nothing of, or something with a wildcard in it. */
function withoutVariables(text: string, context: PolicyContext): string | undefined {
  if (!text.includes('${')) return text;
  let isKnown = true;
  const meant = text.replace(variables, (_, key: string) => {
    const value = context(key)?.[0] ?? '';
    if (value === '' || /[*?]/.test(value)) isKnown = false;
    return value;
  });
  return isKnown ? meant : undefined;
}

function isAt(pattern: string, { resource, context }: PolicyQuestion): boolean {
  const meant = withoutVariables(pattern, context);
  return meant !== undefined && matchesPattern(meant, resource);
}

function holds(condition: Condition, context: PolicyContext): boolean {
  const actual = context(condition.key);
  if (condition.operator === 'Null')
    return condition.values.every((value) => (value === 'true') === (actual === undefined));
  const positive = negated[condition.operator];
  if (actual === undefined || actual.length === 0)
    return condition.ifExists || positive !== undefined || condition.quantifier === 'all';
  const test = tests[positive ?? condition.operator];
  if (test === undefined) return false;
  const matches = (value: string): boolean => {
    const found = condition.values.some((expected) => {
      const meant = withoutVariables(expected, context);
      return meant !== undefined && test(value, meant);
    });
    return positive === undefined ? found : !found;
  };
  return condition.quantifier === 'all' ? actual.every(matches) : actual.some(matches);
}

function concerns(statement: Statement, question: PolicyQuestion): boolean {
  const { principals, services } = statement;
  const named =
    question.service !== undefined
      ? services.includes(question.service)
      : principals === 'everybody' || question.principals.some((name) => principals.includes(name));
  if (named === statement.notPrincipal) return false;
  const action = question.action.toLowerCase();
  const acted = statement.actions.some((pattern) => matchesPattern(pattern, action));
  if (acted === statement.notAction) return false;
  const located = statement.resources.some((pattern) => isAt(pattern, question));
  if (located === statement.notResource) return false;
  // A key that a newer gateway knows keeps out: it may be what an allowance hangs on, and a denial.
  return statement.conditions.every((condition) =>
    isConditionKey(condition.key)
      ? holds(condition, question.context)
      : statement.effect === 'Deny',
  );
}

export type PolicyVerdict = 'allow' | 'deny' | 'none';

/** A denial decides over any number of permissions. */
export function judgePolicy(policy: Policy, question: PolicyQuestion): PolicyVerdict {
  let verdict: PolicyVerdict = 'none';
  for (const statement of policy.statements) {
    if (!concerns(statement, question)) continue;
    if (statement.effect === 'Deny') return 'deny';
    verdict = 'allow';
  }
  return verdict;
}

/** Whether any statement goes by the condition key, or by keys that begin with it. */
export function policyMentions(policy: Policy, key: string): boolean {
  return policy.statements.some(({ conditions }) =>
    conditions.some((condition) => condition.key.startsWith(key)),
  );
}
