// Policies that hang on users, groups and roles: their own, and managed ones by their ARNs.

import type { Entity, InlinePolicy } from '../../map/directory.ts';
import { encodePercent } from '../protocol/percent.ts';
import { textElement } from '../protocol/xml.ts';
import {
  type Action,
  type ActionContext,
  bareMember,
  checkDocument,
  checkedName,
  type EntityOf,
  find,
  type Kind,
  kinds,
  namedResource,
  page,
  parameter,
  withEntity,
} from './action.ts';
import { IamError } from './errors.ts';
import { findManagedPolicy } from './managed-policies.ts';

/** All own policies of one user, group or role, in characters; AWS has 2,048, 5,120 and 10,240. */
const inlineCharactersMax = 10_240;

/** As AWS has it. */
const attachedMax = 10;

const documentLength = (policies: readonly InlinePolicy[]): number =>
  policies.reduce((sum, { document }) => sum + document.length, 0);

function changed<K extends Kind>(
  context: ActionContext,
  kind: K,
  entity: EntityOf<K>,
  change: Partial<Pick<Entity, 'policies' | 'attached'>>,
): ReturnType<Action['run']> {
  const after = { ...entity, ...change };
  return { result: '', directory: withEntity(context.directory, kind, entity, after) };
}

function put(kind: Kind): Action {
  return {
    resource: namedResource(kind),
    run: (context) => {
      const entity = find(context, kind);
      const name = checkedName(parameter(context, 'PolicyName'), 128);
      const document = parameter(context, 'PolicyDocument');
      const others = entity.policies.filter((each) => each.name !== name);
      const policies = [...others, { name, document }].sort((a, b) => (a.name < b.name ? -1 : 1));
      if (documentLength(policies) > inlineCharactersMax)
        throw new IamError(
          'LimitExceeded',
          `All policies of a ${kind} together have at most ${inlineCharactersMax} characters.`,
        );
      checkDocument(document, 'identity');
      return changed(context, kind, entity, { policies });
    },
  };
}

function findPolicy(context: ActionContext, kind: Kind, { policies }: Entity): InlinePolicy {
  const name = parameter(context, 'PolicyName');
  const policy = policies.find((each) => each.name === name);
  if (policy === undefined)
    throw new IamError(
      'NoSuchEntity',
      `The ${kind} policy with name ${name.slice(0, 128)} cannot be found.`,
    );
  return policy;
}

function get(kind: Kind): Action {
  return {
    resource: namedResource(kind),
    run: (context) => {
      const entity = find(context, kind);
      const policy = findPolicy(context, kind, entity);
      return {
        result: [
          textElement(kinds[kind].parameter, entity.name),
          textElement('PolicyName', policy.name),
          textElement('PolicyDocument', encodePercent(policy.document, 'encoded')),
        ].join(''),
      };
    },
  };
}

function remove(kind: Kind): Action {
  return {
    resource: namedResource(kind),
    run: (context) => {
      const entity = find(context, kind);
      const policy = findPolicy(context, kind, entity);
      const policies = entity.policies.filter((each) => each !== policy);
      return changed(context, kind, entity, { policies });
    },
  };
}

function list(kind: Kind): Action {
  return {
    resource: namedResource(kind),
    run: (context) => {
      const names = find(context, kind).policies.map(({ name }) => name);
      const how = { keyOf: (name: string) => name, show: bareMember };
      return { result: page(context, 'PolicyNames', names, how) };
    },
  };
}

function attach(kind: Kind): Action {
  return {
    resource: namedResource(kind),
    run: (context) => {
      const entity = find(context, kind);
      const arn = parameter(context, 'PolicyArn');
      if (findManagedPolicy(arn) === undefined)
        throw new IamError('NoSuchEntity', `Policy ${arn.slice(0, 200)} does not exist.`);
      const attached = [...new Set([...entity.attached, arn])].sort();
      if (attached.length > attachedMax)
        throw new IamError('LimitExceeded', `At most ${attachedMax} policies can be attached.`);
      return changed(context, kind, entity, { attached });
    },
  };
}

function detach(kind: Kind): Action {
  return {
    resource: namedResource(kind),
    run: (context) => {
      const entity = find(context, kind);
      const arn = parameter(context, 'PolicyArn');
      const attached = entity.attached.filter((each) => each !== arn);
      if (attached.length === entity.attached.length)
        throw new IamError('NoSuchEntity', `Policy ${arn.slice(0, 200)} was not found.`);
      return changed(context, kind, entity, { attached });
    },
  };
}

function listAttached(kind: Kind): Action {
  return {
    resource: namedResource(kind),
    run: (context) => {
      const how = {
        keyOf: (arn: string) => arn,
        show: (arn: string) =>
          textElement('PolicyName', arn.slice(arn.lastIndexOf('/') + 1)) +
          textElement('PolicyArn', arn),
      };
      const { attached } = find(context, kind);
      return { result: page(context, 'AttachedPolicies', attached, how) };
    },
  };
}

export const policyActions: Readonly<Record<string, Action>> = Object.fromEntries(
  (['user', 'group', 'role'] as const).flatMap((kind) => {
    const { title } = kinds[kind];
    return [
      [`Put${title}Policy`, put(kind)],
      [`Get${title}Policy`, get(kind)],
      [`Delete${title}Policy`, remove(kind)],
      [`List${title}Policies`, list(kind)],
      [`Attach${title}Policy`, attach(kind)],
      [`Detach${title}Policy`, detach(kind)],
      [`ListAttached${title}Policies`, listAttached(kind)],
    ] as const;
  }),
);
