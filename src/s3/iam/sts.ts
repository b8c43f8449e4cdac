// STS: keys that end, for a role or for oneself (`session-token.ts`). Pure.

import { encodeUtf8 } from '../../base/bytes.ts';
import type { Directory, Role } from '../../map/directory.ts';
import { formatIsoDate } from '../protocol/dates.ts';
import { S3Error } from '../protocol/errors.ts';
import { type PolicyContext, type PolicyVerdict, parsePolicy } from '../protocol/policy.ts';
import { parseCount } from '../protocol/request.ts';
import { element, textElement } from '../protocol/xml.ts';
import { checkDocument, type Parameters } from './action.ts';
import { IamError } from './errors.ts';
import { arnOf, type Identity, judgeRequester, type Requester } from './identities.ts';
import { beginSession, type Session } from './session-token.ts';

export interface SessionContext {
  readonly directory: Directory;
  readonly requester: Requester;
  readonly identity: Identity;
  readonly parameters: Parameters;
  readonly nowMs: number;
  readonly sessionsKey: Uint8Array;
  /** What policies may ask of the request. */
  readonly conditions: PolicyContext;
  /** What the requester's own policies say. */
  judgeOwn(action: string, resource: string): PolicyVerdict;
  randomBytes(count: number): Uint8Array;
}

/** Answers XML inside the element `…Result`. */
export type SessionAction = (context: SessionContext) => string;

const secondsMin = 900;

/** Of a session begun by a session of a role, as AWS has it: each lasts an hour at most. */
const chainedSecondsMax = 3600;

interface Duration {
  readonly default: number;
  readonly max: number;
}

function secondsOf({ parameters }: SessionContext, duration: Duration): number {
  const asked = parameters.get('DurationSeconds');
  const seconds = asked === undefined ? duration.default : parseCount(asked);
  if (seconds === undefined || seconds < secondsMin || seconds > duration.max)
    throw new IamError(
      'ValidationError',
      `DurationSeconds is a number from ${secondsMin} to ${duration.max}`,
    );
  return seconds;
}

function credentials(context: SessionContext, session: Session): string {
  const keys = beginSession(context.sessionsKey, session, context.randomBytes(8));
  return element(
    'Credentials',
    textElement('AccessKeyId', keys.accessKey),
    textElement('SecretAccessKey', keys.secretKey),
    textElement('SessionToken', keys.token),
    textElement('Expiration', formatIsoDate(session.expiresMs)),
  );
}

/**
 * Whether its trust policy lets the requester in. Who needs a policy needs one for this too, unless a role of its account
 * means it by name and no policy of its session holds it back: as with the account's buckets.
 */
function mayTake(context: SessionContext, role: Role): boolean {
  const { requester, identity, conditions } = context;
  const resource = arnOf('role', role);
  const action = 'sts:AssumeRole';
  const own = context.judgeOwn(action, resource);
  const trust = parsePolicy(encodeUtf8(role.trust), 'trust');
  const asked = { action, resource, context: conditions };
  const { verdict, isMeant } = judgeRequester(trust, requester, asked);
  if (own === 'deny' || verdict !== 'allow') return false;
  if (!identity.needsPolicy || own === 'allow') return true;
  return isMeant && identity.account === role.account && identity.session?.policy === undefined;
}

const assumeRole: SessionAction = (context) => {
  const { directory, requester, identity, parameters, nowMs } = context;
  const arn = parameters.get('RoleArn') ?? '';
  const name = parameters.get('RoleSessionName') ?? '';
  if (!/^[\w+=,.@-]{2,64}$/.test(name))
    throw new IamError('ValidationError', 'RoleSessionName has 2 to 64 letters, digits, _+=,.@-');
  const role = directory.roles.find((each) => arnOf('role', each) === arn);
  if (role === undefined || !mayTake(context, role))
    throw new S3Error('AccessDenied', `Not authorized to perform: sts:AssumeRole on ${arn}`);
  const policy = parameters.get('Policy') ?? '';
  if (policy.length > 2048)
    throw new IamError('ValidationError', 'A session policy has at most 2048 characters');
  if (policy !== '') checkDocument(policy, 'identity');
  const isChained = identity.session?.kind === 'role';
  const seconds = secondsOf(context, {
    default: Math.min(3600, role.sessionSecondsMax),
    max: isChained ? chainedSecondsMax : role.sessionSecondsMax,
  });
  const session: Session = {
    kind: 'role',
    entityId: role.id,
    // What a role without account makes is its taker's.
    owner: role.account === '' ? requester.name : role.account,
    name,
    policy,
    expiresMs: nowMs + seconds * 1000,
  };
  const sessionArn = `arn:aws:sts::${role.account}:assumed-role/${role.name}/${name}`;
  return (
    credentials(context, session) +
    element(
      'AssumedRoleUser',
      textElement('AssumedRoleId', `${role.id}:${name}`),
      textElement('Arn', sessionArn),
    ) +
    textElement('PackedPolicySize', Math.ceil((policy.length * 100) / 2048))
  );
};

const getSessionToken: SessionAction = (context) => {
  const { requester, identity, nowMs } = context;
  const isDenied = context.judgeOwn('sts:GetSessionToken', '*') === 'deny';
  if (identity.session !== undefined || isDenied)
    throw new S3Error('AccessDenied', 'Cannot call GetSessionToken with session credentials');
  const seconds = secondsOf(context, { default: 12 * 3600, max: 36 * 3600 });
  return credentials(context, {
    kind: 'user',
    entityId: identity.id,
    owner: requester.name,
    name: identity.userName,
    policy: '',
    expiresMs: nowMs + seconds * 1000,
  });
};

const getCallerIdentity: SessionAction = ({ identity }) =>
  textElement('Arn', identity.arn) +
  textElement('UserId', identity.id) +
  textElement('Account', identity.account);

export const sessionActions: Readonly<Record<string, SessionAction>> = {
  AssumeRole: assumeRole,
  GetSessionToken: getSessionToken,
  GetCallerIdentity: getCallerIdentity,
};
