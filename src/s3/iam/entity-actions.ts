// Users, groups and roles: making, showing, renaming, listing and deleting them.

import {
  type DirectoryUser,
  directoryWithout,
  type Entity,
  type Group,
  keysPerUserMax,
  type Role,
} from '../../map/directory.ts';
import { encodePercent } from '../protocol/percent.ts';
import { parseCount } from '../protocol/request.ts';
import { element, textElement } from '../protocol/xml.ts';
import {
  type Action,
  type ActionAnswer,
  type ActionContext,
  checkDocument,
  checkedName,
  checkFree,
  entityElements,
  find,
  type Kind,
  kinds,
  listedResource,
  lookFor,
  namedResource,
  page,
  parameter,
  pathParameter,
  withEntity,
} from './action.ts';
import { IamError } from './errors.ts';
import { isAccountId, userArn } from './identities.ts';

const sessionSecondsDefault = 3600;
const sessionSecondsMost = 12 * 3600;

function newEntity(context: ActionContext, kind: Kind, prefix: string): Entity {
  const name = checkedName(parameter(context, kinds[kind].parameter), kinds[kind].charactersMax);
  checkFree(context, kind, name);
  // Without account its name would be its buckets' owner's.
  if (kind === 'user' && isAccountId(name))
    throw new IamError('ValidationError', 'Twelve digits are the name of an account');
  return {
    account: context.identity.account,
    name,
    id: context.newId(prefix),
    path: pathParameter(context, 'Path') ?? '/',
    createdMs: context.nowMs,
    policies: [],
    attached: [],
  };
}

/** Throws `DeleteConflict`. */
function checkBare(kind: Kind, { policies, attached }: Entity): void {
  if (policies.length > 0 || attached.length > 0)
    throw new IamError('DeleteConflict', `Cannot delete a ${kind} that has policies.`);
}

function listed(kind: Kind): Action {
  const { list, title } = kinds[kind];
  return {
    resource: listedResource(kind),
    run: (context) => {
      const prefix = context.parameters.get('PathPrefix') ?? '/';
      const own = (context.directory[list] as readonly Entity[]).filter(
        (each) =>
          each.account === context.identity.account &&
          each.path.startsWith(prefix) &&
          !(each as Partial<DirectoryUser>).isRoot,
      );
      const show = (entity: Entity): string =>
        kind === 'role' ? roleElements(entity as Role) : entityElements(kind, entity);
      const keyOf = ({ name }: Entity): string => name.toLowerCase();
      return { result: page(context, `${title}s`, own, { keyOf, show }) };
    },
  };
}

// ——— users ———

const createUser: Action = {
  resource: namedResource('user'),
  run: (context) => {
    const user: DirectoryUser = {
      ...newEntity(context, 'user', 'AIDA'),
      email: '',
      keys: [],
      isRoot: false,
      isAdmin: false,
    };
    return {
      result: element('User', entityElements('user', user)),
      directory: withEntity(context.directory, 'user', undefined, user),
    };
  },
};

/** The one that asks, when the request names nobody. */
export function ownUser({ directory, identity }: ActionContext): DirectoryUser {
  const { account, isRoot, userName, session } = identity;
  const user = directory.users.find(
    (each) => each.account === account && (isRoot ? each.isRoot : each.name === userName),
  );
  if (user === undefined || session?.kind === 'role')
    throw new IamError('ValidationError', 'Must specify userName when calling as no user');
  return user;
}

export function namedOrOwnUser(context: ActionContext): DirectoryUser {
  return context.parameters.has('UserName') ? find(context, 'user') : ownUser(context);
}

const getUser: Action = {
  resource: namedResource('user'),
  run: (context) => {
    const user = namedOrOwnUser(context);
    const shown = entityElements('user', user);
    // A root has an ARN of its own kind.
    const own = user.isRoot
      ? shown.replace(/<Arn>.*<\/Arn>/, textElement('Arn', userArn(user)))
      : shown;
    return { result: element('User', own) };
  },
};

function renamed<K extends Kind>(context: ActionContext, kind: K): ActionAnswer {
  const before = find(context, kind);
  const asked = context.parameters.get(`New${kinds[kind].parameter}`);
  const name = asked === undefined ? before.name : checkedName(asked, kinds[kind].charactersMax);
  if (name !== before.name && kind === 'user' && before.account === '')
    throw new IamError('InvalidInput', 'A user without account owns its buckets by its name.');
  checkFree(context, kind, name, before);
  const after = { ...before, name, path: pathParameter(context, 'NewPath') ?? before.path };
  const directory = withEntity(context.directory, kind, before, after);
  if (kind !== 'user') return { result: '', directory };
  // Groups name their members.
  const groups = directory.groups.map((group) => {
    if (group.account !== before.account || !group.members.includes(before.name)) return group;
    const others = group.members.filter((each) => each !== before.name);
    return { ...group, members: [...others, name].sort() };
  });
  return { result: '', directory: { ...directory, groups } };
}

/** Who may change what is under one name and path can't so put it under another, which policies may name. */
function renaming(kind: 'user' | 'group'): Action {
  return {
    resource: namedResource(kind),
    newResource: (context) => {
      const { parameters, identity } = context;
      const before = lookFor(context, kind, parameters.get(kinds[kind].parameter) ?? '');
      const name = parameters.get(`New${kinds[kind].parameter}`) ?? before?.name ?? '';
      const path = parameters.get('NewPath') ?? before?.path ?? '/';
      return `arn:aws:iam::${identity.account}:${kind}${path}${name}`;
    },
    run: (context) => renamed(context, kind),
  };
}

const deleteUser: Action = {
  resource: namedResource('user'),
  run: (context) => {
    const user = find(context, 'user');
    checkBare('user', user);
    if (user.keys.length > 0)
      throw new IamError('DeleteConflict', 'Cannot delete a user that has access keys.');
    return { result: '', directory: directoryWithout(context.directory, user) };
  },
};

// ——— groups ———

const createGroup: Action = {
  resource: namedResource('group'),
  run: (context) => {
    const group: Group = { ...newEntity(context, 'group', 'AGPA'), members: [] };
    return {
      result: element('Group', entityElements('group', group)),
      directory: withEntity(context.directory, 'group', undefined, group),
    };
  },
};

const getGroup: Action = {
  resource: namedResource('group'),
  run: (context) => {
    const group = find(context, 'group');
    const members = context.directory.users.filter(
      ({ account, name }) => account === group.account && group.members.includes(name),
    );
    const keyOf = ({ name }: Entity): string => name.toLowerCase();
    const show = (user: Entity): string => entityElements('user', user);
    const users = page(context, 'Users', members, { keyOf, show });
    return { result: element('Group', entityElements('group', group)) + users };
  },
};

const deleteGroup: Action = {
  resource: namedResource('group'),
  run: (context) => {
    const group = find(context, 'group');
    checkBare('group', group);
    if (group.members.length > 0)
      throw new IamError('DeleteConflict', 'Cannot delete a group that has members.');
    return { result: '', directory: withEntity(context.directory, 'group', group, undefined) };
  },
};

function membership(
  change: (members: readonly string[], name: string) => readonly string[],
): Action {
  return {
    resource: namedResource('group'),
    run: (context) => {
      const group = find(context, 'group');
      const { name } = find(context, 'user');
      const members = [...change(group.members, name)].sort();
      const directory = withEntity(context.directory, 'group', group, { ...group, members });
      return { result: '', directory };
    },
  };
}

const listGroupsForUser: Action = {
  resource: namedResource('user'),
  run: (context) => {
    const user = find(context, 'user');
    const groups = context.directory.groups.filter(
      ({ account, members }) => account === user.account && members.includes(user.name),
    );
    const keyOf = ({ name }: Entity): string => name.toLowerCase();
    const show = (group: Entity): string => entityElements('group', group);
    return { result: page(context, 'Groups', groups, { keyOf, show }) };
  },
};

// ——— roles ———

function roleElements(role: Role): string {
  return [
    entityElements('role', role),
    textElement('AssumeRolePolicyDocument', encodePercent(role.trust, 'encoded')),
    role.description === '' ? '' : textElement('Description', role.description),
    textElement('MaxSessionDuration', role.sessionSecondsMax),
  ].join('');
}

function roleDetails(
  context: ActionContext,
  before: Pick<Role, 'description' | 'sessionSecondsMax'>,
) {
  const asked = context.parameters.get('MaxSessionDuration');
  const sessionSecondsMax = asked === undefined ? before.sessionSecondsMax : parseCount(asked);
  if (
    sessionSecondsMax === undefined ||
    sessionSecondsMax < sessionSecondsDefault ||
    sessionSecondsMax > sessionSecondsMost
  )
    throw new IamError('ValidationError', 'MaxSessionDuration is from 3600 to 43200 seconds');
  const description = context.parameters.get('Description') ?? before.description;
  if (description.length > 1000)
    throw new IamError('ValidationError', 'A description has at most 1000 characters');
  return { description, sessionSecondsMax };
}

/** Longest policy that says who may take a role, in characters; AWS's is 2,048 and can be raised to this. */
const trustCharactersMax = 8192;

function trustParameter(context: ActionContext, name: string): string {
  const trust = parameter(context, name);
  if (trust.length > trustCharactersMax)
    throw new IamError('LimitExceeded', `At most ${trustCharactersMax} characters`);
  checkDocument(trust, 'trust');
  return trust;
}

const createRole: Action = {
  resource: namedResource('role'),
  run: (context) => {
    const trust = trustParameter(context, 'AssumeRolePolicyDocument');
    const details = { description: '', sessionSecondsMax: sessionSecondsDefault };
    const role: Role = {
      ...newEntity(context, 'role', 'AROA'),
      ...roleDetails(context, details),
      trust,
    };
    return {
      result: element('Role', roleElements(role)),
      directory: withEntity(context.directory, 'role', undefined, role),
    };
  },
};

const getRole: Action = {
  resource: namedResource('role'),
  run: (context) => ({ result: element('Role', roleElements(find(context, 'role'))) }),
};

const updateRole: Action = {
  resource: namedResource('role'),
  run: (context) => {
    const role = find(context, 'role');
    const after = { ...role, ...roleDetails(context, role) };
    // An element without content, as the action has a result that says nothing.
    return { result: ' ', directory: withEntity(context.directory, 'role', role, after) };
  },
};

const updateAssumeRolePolicy: Action = {
  resource: namedResource('role'),
  run: (context) => {
    const role = find(context, 'role');
    const trust = trustParameter(context, 'PolicyDocument');
    const after = { ...role, trust };
    return { result: '', directory: withEntity(context.directory, 'role', role, after) };
  },
};

const deleteRole: Action = {
  resource: namedResource('role'),
  run: (context) => {
    const role = find(context, 'role');
    checkBare('role', role);
    return { result: '', directory: withEntity(context.directory, 'role', role, undefined) };
  },
};

// ——— the account ———

const getAccountSummary: Action = {
  resource: () => '*',
  run: (context) => {
    const { directory, identity } = context;
    const own = (list: readonly Entity[]): number =>
      list.filter(({ account }) => account === identity.account).length;
    const entries = {
      Users: own(directory.users.filter(({ isRoot }) => !isRoot)),
      Groups: own(directory.groups),
      Roles: own(directory.roles),
      UsersQuota: 5000,
      GroupsQuota: 5000,
      RolesQuota: 5000,
      AccessKeysPerUserQuota: keysPerUserMax,
    };
    const shown = Object.entries(entries).map(([key, value]) =>
      element('entry', textElement('key', key), textElement('value', value)),
    );
    return { result: element('SummaryMap', ...shown) };
  },
};

/** There are none: web identities are not taken here, and what would make a provider is not there. */
const listOpenIdConnectProviders: Action = {
  resource: () => '*',
  run: () => ({ result: element('OpenIDConnectProviderList') }),
};

export const entityActions: Readonly<Record<string, Action>> = {
  CreateUser: createUser,
  GetUser: getUser,
  UpdateUser: renaming('user'),
  DeleteUser: deleteUser,
  ListUsers: listed('user'),
  CreateGroup: createGroup,
  GetGroup: getGroup,
  UpdateGroup: renaming('group'),
  DeleteGroup: deleteGroup,
  ListGroups: listed('group'),
  AddUserToGroup: membership((members, name) => [...new Set([...members, name])]),
  RemoveUserFromGroup: membership((members, name) => members.filter((each) => each !== name)),
  ListGroupsForUser: listGroupsForUser,
  CreateRole: createRole,
  GetRole: getRole,
  UpdateRole: updateRole,
  UpdateAssumeRolePolicy: updateAssumeRolePolicy,
  DeleteRole: deleteRole,
  ListRoles: listed('role'),
  GetAccountSummary: getAccountSummary,
  ListOpenIDConnectProviders: listOpenIdConnectProviders,
};
