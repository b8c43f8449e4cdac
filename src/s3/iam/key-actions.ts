// Access keys of users: several each, each active or not. A secret is shown once, when it is made.

import { type AccessKey, type DirectoryUser, keysPerUserMax } from '../../map/directory.ts';
import { formatIsoDate } from '../protocol/dates.ts';
import { element, textElement } from '../protocol/xml.ts';
import {
  type Action,
  type ActionContext,
  namedResource,
  page,
  parameter,
  withEntity,
} from './action.ts';
import { namedOrOwnUser } from './entity-actions.ts';
import { IamError } from './errors.ts';

function keyElements(user: DirectoryUser, key: AccessKey): string {
  return [
    textElement('UserName', user.name),
    textElement('AccessKeyId', key.id),
    textElement('Status', key.active ? 'Active' : 'Inactive'),
    textElement('CreateDate', formatIsoDate(key.createdMs)),
  ].join('');
}

function withKeys(context: ActionContext, user: DirectoryUser, keys: readonly AccessKey[]) {
  return withEntity(context.directory, 'user', user, { ...user, keys });
}

/** Throws `NoSuchEntity`. */
function findKey(context: ActionContext, { keys }: DirectoryUser): AccessKey {
  const id = parameter(context, 'AccessKeyId');
  const key = keys.find((each) => each.id === id);
  if (key === undefined)
    throw new IamError(
      'NoSuchEntity',
      `The Access Key with id ${id.slice(0, 128)} cannot be found.`,
    );
  return key;
}

const createAccessKey: Action = {
  resource: namedResource('user'),
  run: (context) => {
    const user = namedOrOwnUser(context);
    if (user.keys.length >= keysPerUserMax)
      throw new IamError('LimitExceeded', `A user has at most ${keysPerUserMax} access keys.`);
    const key: AccessKey = { ...context.newKey(), active: true, createdMs: context.nowMs };
    return {
      result: element(
        'AccessKey',
        keyElements(user, key),
        textElement('SecretAccessKey', key.secret),
      ),
      directory: withKeys(context, user, [...user.keys, key]),
    };
  },
};

const updateAccessKey: Action = {
  resource: namedResource('user'),
  run: (context) => {
    const user = namedOrOwnUser(context);
    const key = findKey(context, user);
    const status = parameter(context, 'Status');
    if (status !== 'Active' && status !== 'Inactive')
      throw new IamError('ValidationError', 'Status is Active or Inactive');
    const after = { ...key, active: status === 'Active' };
    const keys = user.keys.map((each) => (each === key ? after : each));
    return { result: '', directory: withKeys(context, user, keys) };
  },
};

const deleteAccessKey: Action = {
  resource: namedResource('user'),
  run: (context) => {
    const user = namedOrOwnUser(context);
    const key = findKey(context, user);
    const keys = user.keys.filter((each) => each !== key);
    return { result: '', directory: withKeys(context, user, keys) };
  },
};

const listAccessKeys: Action = {
  resource: namedResource('user'),
  run: (context) => {
    const user = namedOrOwnUser(context);
    const how = {
      keyOf: ({ id }: AccessKey) => id,
      show: (key: AccessKey) => keyElements(user, key),
    };
    const keys = page(context, 'AccessKeyMetadata', user.keys, how);
    return { result: textElement('UserName', user.name) + keys };
  },
};

export const keyActions: Readonly<Record<string, Action>> = {
  CreateAccessKey: createAccessKey,
  UpdateAccessKey: updateAccessKey,
  DeleteAccessKey: deleteAccessKey,
  ListAccessKeys: listAccessKeys,
};
