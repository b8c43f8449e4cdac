// Lifecycle rules: what a bucket's document says, and what the rules make of one version. Pure; the job that acts on it is
// `lifecycle-job.ts`.

import type { BucketConfiguration } from '../index/bucket-documents.ts';
import { formatHttpDate, formatIsoDate, parseIsoDate } from './dates.ts';
import { S3Error } from './errors.ts';
import type { NamedValues } from './object-headers.ts';
import { parseCount } from './request.ts';
import {
  childrenOf,
  childText,
  element,
  onlyChild,
  parseXml,
  textElement,
  type XmlNode,
  xmlDocument,
} from './xml.ts';
import { checkShape, text, type XmlShape } from './xml-shape.ts';

/** S3's own limits. */
const rulesMax = 1000;
const idCharactersMax = 255;

const calendarDayMs = 86_400_000;

/** Says whether small objects are moved by rules whose filters say nothing of sizes. */
export const transitionMinimumHeader = 'x-amz-transition-default-minimum-object-size';
/** Its values and what they come to here, in bytes. Storage classes are names, so that none has a minimum of its own. */
const transitionMinimums: ReadonlyMap<string, number> = new Map([
  ['all_storage_classes_128K', 128 * 1024],
  ['varies_by_storage_class', 0],
]);
/** The element of a kept document that says so; clients neither put nor get it. */
const transitionMinimumElement = 'TransitionDefaultMinimumObjectSize';

interface Filter {
  readonly prefix: string;
  readonly tags: NamedValues;
  readonly sizeAbove: number | undefined;
  readonly sizeBelow: number | undefined;
}

/** After so many days, or from a date on. */
export type When =
  | { readonly kind: 'days'; readonly days: number }
  | { readonly kind: 'date'; readonly ms: number };

interface Noncurrent {
  readonly days: number;
  /** So many of the newest noncurrent versions are left alone. */
  readonly newer: number;
}

export interface LifecycleRule {
  readonly id: string;
  readonly enabled: boolean;
  readonly filter: Filter;
  /** Whether the filter was written as `Filter`, not as the older `Prefix`. */
  readonly hasFilter: boolean;
  readonly expiration: When | 'delete-marker' | undefined;
  readonly noncurrent: Noncurrent | undefined;
  readonly abortDays: number | undefined;
  readonly transitions: readonly { readonly when: When; readonly storageClass: string }[];
  readonly noncurrentTransitions: readonly (Noncurrent & { readonly storageClass: string })[];
  /** Smaller objects are not moved; the same in all rules of a bucket. A filter by size goes before it. */
  readonly transitionMinimumBytes: number;
}

export type Lifecycle = readonly LifecycleRule[];

function daysOf(text: string | undefined, least: number, name: string): number {
  const days = parseCount(text?.trim() ?? '');
  if (days === undefined) throw new S3Error('MalformedXML');
  if (days < least || days > 0x7fffffff)
    throw new S3Error('InvalidArgument', `'${name}' must be a positive integer`);
  return days;
}

function whenOf(node: XmlNode, leastDays: number): When | undefined {
  const days = childText(node, 'Days');
  const date = childText(node, 'Date')?.trim();
  if (days !== undefined && date !== undefined) throw new S3Error('MalformedXML');
  if (days !== undefined) return { kind: 'days', days: daysOf(days, leastDays, 'Days') };
  if (date === undefined) return undefined;
  const ms = parseIsoDate(date);
  if (ms === undefined) throw new S3Error('MalformedXML');
  if (ms % calendarDayMs !== 0)
    throw new S3Error('InvalidArgument', "'Date' must be at midnight GMT");
  return { kind: 'date', ms };
}

function parseConditions(node: XmlNode): Filter {
  const size = (name: string): number | undefined => {
    const text = childText(node, name);
    return text === undefined ? undefined : daysOf(text, 0, name);
  };
  return {
    prefix: childText(node, 'Prefix') ?? '',
    tags: childrenOf(node, 'Tag').map((tag) => ({
      name: childText(tag, 'Key') ?? '',
      value: childText(tag, 'Value') ?? '',
    })),
    sizeAbove: size('ObjectSizeGreaterThan'),
    sizeBelow: size('ObjectSizeLessThan'),
  };
}

/** What stands beside `And`, as radosgw takes it, narrows the rule further: all of it must hold. */
function parseFilter(node: XmlNode): Filter {
  const beside = parseConditions(node);
  const and = onlyChild(node, 'And');
  if (and === undefined) return beside;
  const within = parseConditions(and);
  const [shorter, longer] =
    within.prefix.length < beside.prefix.length
      ? [within.prefix, beside.prefix]
      : [beside.prefix, within.prefix];
  if (!longer.startsWith(shorter)) throw new S3Error('MalformedXML');
  const bound = (name: 'sizeAbove' | 'sizeBelow', choose: (a: number, b: number) => number) => {
    const [a, b] = [beside[name], within[name]];
    return a === undefined || b === undefined ? (a ?? b) : choose(a, b);
  };
  return {
    prefix: longer,
    tags: [...beside.tags, ...within.tags],
    sizeAbove: bound('sizeAbove', Math.max),
    sizeBelow: bound('sizeBelow', Math.min),
  };
}

function parseExpiration(node: XmlNode | undefined): LifecycleRule['expiration'] {
  if (node === undefined) return undefined;
  const when = whenOf(node, 1);
  const marker = childText(node, 'ExpiredObjectDeleteMarker')?.trim().toLowerCase();
  if (marker !== undefined && when !== undefined) throw new S3Error('MalformedXML');
  if (marker === 'true') return 'delete-marker';
  if (when === undefined && marker !== 'false') throw new S3Error('MalformedXML');
  return when;
}

function parseNoncurrent(node: XmlNode, leastDays: number): Noncurrent {
  const newer = childText(node, 'NewerNoncurrentVersions');
  const days = childText(node, 'NoncurrentDays');
  if (days === undefined && newer === undefined) throw new S3Error('MalformedXML');
  return {
    days: days === undefined ? 0 : daysOf(days, leastDays, 'NoncurrentDays'),
    newer: newer === undefined ? 0 : daysOf(newer, 1, 'NewerNoncurrentVersions'),
  };
}

function parseRule(
  node: XmlNode,
  newId: () => string,
  storageClasses: readonly string[],
): LifecycleRule {
  const id = childText(node, 'ID')?.trim() ?? newId();
  if (id.length > idCharactersMax)
    throw new S3Error('InvalidArgument', 'ID length should not exceed allowed limit of 255');
  const status = childText(node, 'Status')?.trim();
  if (status !== 'Enabled' && status !== 'Disabled') throw new S3Error('MalformedXML');
  const [filterNode] = childrenOf(node, 'Filter');
  const prefix = childText(node, 'Prefix');
  if (filterNode !== undefined && prefix !== undefined) throw new S3Error('MalformedXML');
  const filter = filterNode === undefined ? parseConditions(node) : parseFilter(filterNode);
  const storageClassOf = (transition: XmlNode): string => {
    const name = childText(transition, 'StorageClass')?.trim();
    if (name === undefined) throw new S3Error('MalformedXML');
    if (!storageClasses.includes(name)) throw new S3Error('InvalidStorageClass');
    return name;
  };
  const [expiration] = childrenOf(node, 'Expiration');
  const [noncurrent] = childrenOf(node, 'NoncurrentVersionExpiration');
  const [abort] = childrenOf(node, 'AbortIncompleteMultipartUpload');
  const rule: LifecycleRule = {
    id,
    enabled: status === 'Enabled',
    filter,
    hasFilter: filterNode !== undefined,
    expiration: parseExpiration(expiration),
    noncurrent: noncurrent === undefined ? undefined : parseNoncurrent(noncurrent, 1),
    abortDays:
      abort === undefined
        ? undefined
        : daysOf(childText(abort, 'DaysAfterInitiation'), 1, 'DaysAfterInitiation'),
    transitions: childrenOf(node, 'Transition').map((transition) => {
      const when = whenOf(transition, 0);
      if (when === undefined) throw new S3Error('MalformedXML');
      return { when, storageClass: storageClassOf(transition) };
    }),
    noncurrentTransitions: childrenOf(node, 'NoncurrentVersionTransition').map((transition) => ({
      ...parseNoncurrent(transition, 0),
      storageClass: storageClassOf(transition),
    })),
    transitionMinimumBytes: 0,
  };
  const acts =
    rule.expiration ??
    rule.noncurrent ??
    rule.abortDays ??
    rule.transitions[0] ??
    rule.noncurrentTransitions[0];
  if (acts === undefined && expiration === undefined)
    throw new S3Error('InvalidRequest', 'At least one action needs to be specified in a rule');
  return rule;
}

const sizes = { ObjectSizeGreaterThan: text, ObjectSizeLessThan: text };
const tag = { Key: text, Value: text };
const noncurrentShape = { NoncurrentDays: text, NewerNoncurrentVersions: text };

const lifecycleShape: XmlShape = {
  'Rule*': {
    ID: text,
    Prefix: text,
    Status: text,
    Filter: { Prefix: text, 'Tag*': tag, ...sizes, And: { Prefix: text, 'Tag*': tag, ...sizes } },
    Expiration: { Days: text, Date: text, ExpiredObjectDeleteMarker: text },
    NoncurrentVersionExpiration: noncurrentShape,
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: text },
    'Transition*': { Days: text, Date: text, StorageClass: text },
    'NoncurrentVersionTransition*': { ...noncurrentShape, StorageClass: text },
  },
};

function checkTagNodes(node: XmlNode | undefined): void {
  for (const each of node === undefined ? [] : childrenOf(node, 'Tag'))
    if (each.children.length !== 2) throw new S3Error('MalformedXML');
}

/**
 * What is refused of a new document: unknown or repeated elements, and a rule that says nothing of what it is about, which
 * would be every object. Throws `MalformedXML`.
 */
export function checkNewLifecycle(body: Uint8Array): void {
  const root = parseXml(body, 'LifecycleConfiguration');
  checkShape(root, lifecycleShape);
  for (const rule of root.children) {
    const filter = onlyChild(rule, 'Filter');
    if (filter === undefined && onlyChild(rule, 'Prefix') === undefined)
      throw new S3Error('MalformedXML');
    checkTagNodes(filter);
    checkTagNodes(filter && onlyChild(filter, 'And'));
  }
}

/**
 * What is refused of new rules, and would be worse ignored: uploads have no tags and no size yet, nor have delete markers
 * tags, so that such a filter would give up and remove what it was to spare. Throws `InvalidRequest`.
 */
export function checkNewRules(rules: Lifecycle): void {
  for (const { filter, abortDays, expiration } of rules) {
    if (abortDays !== undefined && !isByPrefix(filter))
      throw new S3Error(
        'InvalidRequest',
        'AbortIncompleteMultipartUpload cannot be specified with tags or sizes',
      );
    if (expiration === 'delete-marker' && filter.tags.length > 0)
      throw new S3Error(
        'InvalidRequest',
        'ExpiredObjectDeleteMarker cannot be specified with tags',
      );
  }
}

function isByPrefix({ tags, sizeAbove, sizeBelow }: Filter): boolean {
  return tags.length === 0 && sizeAbove === undefined && sizeBelow === undefined;
}

/** As a client puts it. Throws `MalformedXML`, `InvalidArgument`, `InvalidStorageClass`. */
export function parseLifecycle(
  body: Uint8Array,
  newId: () => string,
  storageClasses: readonly string[],
): Lifecycle {
  const root = parseXml(body, 'LifecycleConfiguration');
  const nodes = childrenOf(root, 'Rule');
  if (nodes.length === 0 || nodes.length > rulesMax) throw new S3Error('MalformedXML');
  const rules = nodes.map((node) => parseRule(node, newId, storageClasses));
  if (new Set(rules.map(({ id }) => id)).size !== rules.length)
    throw new S3Error(
      'InvalidArgument',
      'Rule ID must be unique. Found same ID for more than one rule',
    );
  return rules;
}

function whenElements(when: When): string {
  return when.kind === 'days'
    ? textElement('Days', when.days)
    : textElement('Date', formatIsoDate(when.ms));
}

function filterElements({ prefix, tags, sizeAbove, sizeBelow }: Filter): string {
  const parts = [
    prefix === '' ? '' : textElement('Prefix', prefix),
    ...tags.map(({ name, value }) =>
      element('Tag', textElement('Key', name), textElement('Value', value)),
    ),
    textElement('ObjectSizeGreaterThan', sizeAbove),
    textElement('ObjectSizeLessThan', sizeBelow),
  ].filter((part) => part !== '');
  if (parts.length === 0) return textElement('Prefix', '');
  return parts.length === 1 ? parts.join('') : element('And', ...parts);
}

function noncurrentElements({ days, newer }: Noncurrent): string {
  return (
    (days === 0 ? '' : textElement('NoncurrentDays', days)) +
    (newer === 0 ? '' : textElement('NewerNoncurrentVersions', newer))
  );
}

function ruleElement(rule: LifecycleRule): string {
  const { expiration, noncurrent, abortDays } = rule;
  return element(
    'Rule',
    textElement('ID', rule.id),
    rule.hasFilter
      ? element('Filter', filterElements(rule.filter))
      : textElement('Prefix', rule.filter.prefix),
    textElement('Status', rule.enabled ? 'Enabled' : 'Disabled'),
    expiration === undefined
      ? ''
      : element(
          'Expiration',
          expiration === 'delete-marker'
            ? textElement('ExpiredObjectDeleteMarker', true)
            : whenElements(expiration),
        ),
    noncurrent === undefined
      ? ''
      : element('NoncurrentVersionExpiration', noncurrentElements(noncurrent)),
    abortDays === undefined
      ? ''
      : element('AbortIncompleteMultipartUpload', textElement('DaysAfterInitiation', abortDays)),
    ...rule.transitions.map(({ when, storageClass }) =>
      element('Transition', whenElements(when), textElement('StorageClass', storageClass)),
    ),
    ...rule.noncurrentTransitions.map(({ storageClass, days, newer }) =>
      element(
        'NoncurrentVersionTransition',
        textElement('NoncurrentDays', days),
        newer === 0 ? '' : textElement('NewerNoncurrentVersions', newer),
        textElement('StorageClass', storageClass),
      ),
    ),
  );
}

/** As a client gets it. */
export function formatLifecycle(rules: Lifecycle): Uint8Array {
  return xmlDocument('LifecycleConfiguration', ...rules.map(ruleElement));
}

/** As it is kept: with what `withTransitionMinimum` made of the request's header. */
export function formatKeptLifecycle(rules: Lifecycle): Uint8Array {
  const [[, name] = ['', '']] = transitionMinimumHeaders(rules);
  return xmlDocument(
    'LifecycleConfiguration',
    textElement(transitionMinimumElement, name),
    ...rules.map(ruleElement),
  );
}

/**
 * Rules as the header `transitionMinimumHeader` wants them. Without it objects of any size are moved, as by radosgw; a client
 * that goes by Amazon's newer default asks for it by name. Throws `InvalidArgument`.
 */
export function withTransitionMinimum(rules: Lifecycle, value: string | undefined): Lifecycle {
  if (value === undefined) return rules;
  const transitionMinimumBytes = transitionMinimums.get(value);
  if (transitionMinimumBytes === undefined)
    throw new S3Error(
      'InvalidArgument',
      `${transitionMinimumHeader} must be one of ${[...transitionMinimums.keys()].join(', ')}`,
      { detail: { ArgumentName: transitionMinimumHeader, ArgumentValue: value.slice(0, 100) } },
    );
  return rules.map((rule) => ({ ...rule, transitionMinimumBytes }));
}

/** What a client is told of it, with the rules. */
export function transitionMinimumHeaders(rules: Lifecycle): [string, string][] {
  const bytes = rules[0]?.transitionMinimumBytes;
  const found = [...transitionMinimums].find(([, each]) => each === bytes);
  return found === undefined ? [] : [[transitionMinimumHeader, found[0]]];
}

/** Kept rules name classes that were accepted when they were put. */
function parseKept(body: Uint8Array): Lifecycle {
  const root = parseXml(body, 'LifecycleConfiguration');
  const named = childrenOf(root, 'Rule').flatMap((rule) =>
    [...childrenOf(rule, 'Transition'), ...childrenOf(rule, 'NoncurrentVersionTransition')].map(
      (node) => childText(node, 'StorageClass')?.trim() ?? '',
    ),
  );
  const rules = parseLifecycle(body, () => '', named);
  return withTransitionMinimum(rules, childText(root, transitionMinimumElement));
}

export function lifecycleOf(configuration: BucketConfiguration): Lifecycle | undefined {
  return configuration.parsed('lifecycle', parseKept);
}

/** What rules go by. */
export interface JudgedVersion {
  readonly key: string;
  readonly sizeBytes: number;
  readonly wallMs: number;
  readonly tags: NamedValues;
  readonly storageClass: string;
  readonly isMarker: boolean;
  /** Whether it is the only version of its key. */
  readonly isSole: boolean;
  /** Undefined: the newest version. */
  readonly noncurrent:
    | {
        /** When the version after it was put. */
        readonly sinceMs: number;
        /** Noncurrent versions newer than this one. */
        readonly newerCount: number;
      }
    | undefined;
}

export interface Times {
  readonly nowMs: number;
  /** What is taken for a day. */
  readonly dayMs: number;
}

/** Days end at midnight, unless a day is something else for a test. */
function dueMs(fromMs: number, days: number, dayMs: number): number {
  const due = fromMs + days * dayMs;
  return dayMs === calendarDayMs ? Math.ceil(due / dayMs) * dayMs : due;
}

function isDue(when: When, fromMs: number, { nowMs, dayMs }: Times): boolean {
  return when.kind === 'date' ? nowMs >= when.ms : nowMs >= dueMs(fromMs, when.days, dayMs);
}

function passes(filter: Filter, version: JudgedVersion): boolean {
  if (!version.key.startsWith(filter.prefix)) return false;
  if (filter.tags.length > 0) {
    if (version.isMarker) return false;
    for (const { name, value } of filter.tags)
      if (!version.tags.some((tag) => tag.name === name && tag.value === value)) return false;
  }
  if (filter.sizeAbove !== undefined && version.sizeBytes <= filter.sizeAbove) return false;
  return filter.sizeBelow === undefined || version.sizeBytes < filter.sizeBelow;
}

function isNoncurrentDue(
  rule: Noncurrent,
  noncurrent: NonNullable<JudgedVersion['noncurrent']>,
  times: Times,
): boolean {
  if (noncurrent.newerCount < rule.newer) return false;
  return times.nowMs >= dueMs(noncurrent.sinceMs, rule.days, times.dayMs);
}

export type LifecycleAction =
  | { readonly kind: 'keep' }
  /** As a delete without a version would: where versions are kept, a delete marker. */
  | { readonly kind: 'expire' }
  /** This version, for good. */
  | { readonly kind: 'remove' }
  | { readonly kind: 'transition'; readonly storageClass: string };

const keep: LifecycleAction = { kind: 'keep' };

function expires(rule: LifecycleRule, version: JudgedVersion, times: Times): LifecycleAction {
  const { noncurrent } = version;
  if (noncurrent !== undefined) {
    const due =
      rule.noncurrent !== undefined && isNoncurrentDue(rule.noncurrent, noncurrent, times);
    return due ? { kind: 'remove' } : keep;
  }
  const { expiration } = rule;
  if (expiration === undefined) return keep;
  if (version.isMarker) {
    const due = expiration === 'delete-marker' || isDue(expiration, version.wallMs, times);
    return version.isSole && due ? { kind: 'remove' } : keep;
  }
  if (expiration === 'delete-marker') return keep;
  return isDue(expiration, version.wallMs, times) ? { kind: 'expire' } : keep;
}

/** The last of the transitions that are due: rules name them in the order of their days. */
function transition(rule: LifecycleRule, version: JudgedVersion, times: Times): LifecycleAction {
  const { sizeAbove, sizeBelow } = rule.filter;
  const isBySize = sizeAbove !== undefined || sizeBelow !== undefined;
  if (!isBySize && version.sizeBytes < rule.transitionMinimumBytes) return keep;
  const { noncurrent } = version;
  let storageClass: string | undefined;
  let latestDays = -1;
  if (noncurrent === undefined) {
    for (const each of rule.transitions) {
      const days = each.when.kind === 'days' ? each.when.days : 0;
      if (!isDue(each.when, version.wallMs, times) || days < latestDays) continue;
      latestDays = days;
      storageClass = each.storageClass;
    }
  } else {
    for (const each of rule.noncurrentTransitions) {
      if (!isNoncurrentDue(each, noncurrent, times) || each.days < latestDays) continue;
      latestDays = each.days;
      storageClass = each.storageClass;
    }
  }
  if (storageClass === undefined || storageClass === version.storageClass) return keep;
  return { kind: 'transition', storageClass };
}

/** Expiration goes before transition, whichever rule says it. */
export function judgeVersion(
  rules: Lifecycle,
  version: JudgedVersion,
  times: Times,
): LifecycleAction {
  const concerned = rules.filter((rule) => rule.enabled && passes(rule.filter, version));
  for (const rule of concerned) {
    const action = expires(rule, version, times);
    if (action.kind !== 'keep') return action;
  }
  if (version.isMarker) return keep;
  for (const rule of concerned) {
    const action = transition(rule, version, times);
    if (action.kind !== 'keep') return action;
  }
  return keep;
}

/** Whether an upload begun then is to be given up. */
export function judgeUpload(
  rules: Lifecycle,
  upload: { readonly key: string; readonly wallMs: number },
  times: Times,
): boolean {
  return rules.some(
    ({ enabled, filter, abortDays }) =>
      enabled &&
      abortDays !== undefined &&
      // Rules put before others were refused.
      isByPrefix(filter) &&
      upload.key.startsWith(filter.prefix) &&
      times.nowMs >= dueMs(upload.wallMs, abortDays, times.dayMs),
  );
}

/** What a client is told of an upload that will be given up: when, in calendar days, and by which rule. */
export function abortHeaders(
  rules: Lifecycle | undefined,
  upload: { readonly key: string; readonly wallMs: number },
): [string, string][] {
  let soonest: { readonly ms: number; readonly id: string } | undefined;
  for (const { id, enabled, filter, abortDays } of rules ?? []) {
    if (!enabled || abortDays === undefined || !isByPrefix(filter)) continue;
    if (!upload.key.startsWith(filter.prefix)) continue;
    const ms = dueMs(upload.wallMs, abortDays, calendarDayMs);
    if (soonest === undefined || ms < soonest.ms) soonest = { ms, id };
  }
  if (soonest === undefined) return [];
  return [
    ['x-amz-abort-date', formatHttpDate(soonest.ms)],
    ['x-amz-abort-rule-id', idInHeader(soonest.id)],
  ];
}

/** What a header can't carry is left out of a rule's name. */
function idInHeader(id: string): string {
  return id.replace(/[^\x20-\x7e]|"/g, '_');
}

/** What a client is told of a current version that will expire, in calendar days. */
export function expirationHeader(
  rules: Lifecycle | undefined,
  version: Pick<JudgedVersion, 'key' | 'sizeBytes' | 'wallMs' | 'tags'>,
): [string, string][] {
  let soonest: { readonly ms: number; readonly id: string } | undefined;
  const judged: JudgedVersion = {
    ...version,
    storageClass: '',
    isMarker: false,
    isSole: false,
    noncurrent: undefined,
  };
  for (const { id, enabled, filter, expiration } of rules ?? []) {
    if (!enabled || expiration === undefined || expiration === 'delete-marker') continue;
    if (!passes(filter, judged)) continue;
    const ms =
      expiration.kind === 'date'
        ? expiration.ms
        : dueMs(version.wallMs, expiration.days, calendarDayMs);
    if (soonest === undefined || ms < soonest.ms) soonest = { ms, id };
  }
  if (soonest === undefined) return [];
  return [
    [
      'x-amz-expiration',
      `expiry-date="${formatHttpDate(soonest.ms)}", rule-id="${idInHeader(soonest.id)}"`,
    ],
  ];
}
