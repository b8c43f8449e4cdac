// IAM, STS and SNS on the gateway's own endpoint: forms posted to `/`, signed for the service, answered in XML. What an action
// does is decided on the directory as this gateway knows it, and done only if nobody changed it meanwhile:
// otherwise it is decided again.

import { hash } from 'node:crypto';
import { encodeUtf8, formatHex } from '../../base/bytes.ts';
import { ClientError } from '../../client/errors.ts';
import type { HttpResponse } from '../../env/http.ts';
import type { Directory } from '../../map/directory.ts';
import { checkIdentity, judgeOwn, requestConditions } from '../authorization.ts';
import type { GatewayParts } from '../context.ts';
import { sessionTokenOf } from '../protocol/authenticate.ts';
import { S3Error, s3ErrorOf } from '../protocol/errors.ts';
import { Payload, readWhole } from '../protocol/payload.ts';
import { decodeStrictUtf8 } from '../protocol/percent.ts';
import { parseQuery, type S3Request } from '../protocol/request.ts';
import { authenticateV4, type SigningKeyCache } from '../protocol/sigv4.ts';
import { element, textElement } from '../protocol/xml.ts';
import type { Action, ActionAnswer, ActionContext, Parameters } from './action.ts';
import { entityActions } from './entity-actions.ts';
import { IamError } from './errors.ts';
import type { Identity, Requester } from './identities.ts';
import { keyActions } from './key-actions.ts';
import { policyActions } from './policy-actions.ts';
import { type SessionAction, sessionActions } from './sts.ts';
import { mayUseTopic } from './topic-access.ts';
import { type TopicAction, topicActions } from './topic-actions.ts';

const iamActions: Readonly<Record<string, Action>> = {
  ...entityActions,
  ...keyActions,
  ...policyActions,
};

/** What is there; the reference page lists it. */
export const actionNames: Readonly<Record<'iam' | 'sns' | 'sts', readonly string[]>> = {
  iam: Object.keys(iamActions).sort(),
  sns: Object.keys(topicActions).sort(),
  sts: Object.keys(sessionActions).sort(),
};

const namespaces = {
  iam: 'https://iam.amazonaws.com/doc/2010-05-08/',
  sns: 'http://sns.amazonaws.com/doc/2010-03-31/',
  sts: 'https://sts.amazonaws.com/doc/2011-06-15/',
} as const;

/** Longest form, in bytes: a policy at its limit, every character of it percent-encoded, many times over. */
const formBytesMax = 256 * 1024;

/** Decided anew when others change the directory at the same time; each time one of them got on. */
const attemptsMax = 16;

/** What would mean something else if it were ignored. */
const notThere = [
  'Tags.',
  'PermissionsBoundary',
  'PolicyArns.',
  'TransitiveTagKeys.',
  'SerialNumber',
  'TokenCode',
  'SourceIdentity',
  'ProvidedContexts.',
];

export interface QueryOptions {
  readonly parts: GatewayParts;
  readonly keys: SigningKeyCache;
  readonly request: S3Request;
  readonly requestId: string;
}

export function isQueryRequest({ method, bucket, headers }: S3Request): boolean {
  return (
    method === 'POST' &&
    bucket === undefined &&
    headers.get('content-type')?.startsWith('application/x-www-form-urlencoded') === true
  );
}

async function readForm({ parts, request }: QueryOptions): Promise<Uint8Array> {
  const { env, budget } = parts;
  const payload = new Payload(
    request,
    { kind: 'unsigned' },
    { clock: env.clock, computeMd5: false },
  );
  if (payload.sizeBytes > formBytesMax)
    throw new IamError('ValidationError', 'The request is too long');
  await budget.acquire(payload.sizeBytes);
  try {
    const body = await readWhole(payload, formBytesMax);
    await payload.finish();
    return body;
  } finally {
    budget.release(payload.sizeBytes);
  }
}

function parseForm(body: Uint8Array): Parameters {
  const text = decodeStrictUtf8(body);
  if (text === undefined) throw new IamError('ValidationError', 'The request is not UTF-8');
  return parseQuery(text);
}

interface Asked {
  readonly name: string;
  readonly parameters: Parameters;
  /** Of the body, as it is signed. */
  readonly bodySha256: string;
}

/** Throws `NotImplemented`, `InvalidAction`. */
function checkKnown({ name, parameters }: Asked): void {
  if (!/^[A-Za-z]{1,64}$/.test(name))
    throw new IamError('InvalidAction', 'The request names no action');
  if (![iamActions, sessionActions, topicActions].some((each) => Object.hasOwn(each, name)))
    throw new IamError('NotImplemented', `${name} is not implemented`);
  for (const each of parameters.keys())
    if (notThere.some((prefix) => each.startsWith(prefix)))
      throw new IamError('NotImplemented', `${name} with ${each.slice(0, 64)} is not implemented`);
}

/** Found anew each time: what was taken from the requester meanwhile it has no more. */
function identify(options: QueryOptions, asked: Asked, service: string): Required<Requester> {
  const { parts, keys, request } = options;
  // A presigned URL would say nothing of the form that is posted to it.
  if (!request.headers.has('authorization'))
    throw new S3Error('AccessDenied', 'The request is not signed in its headers');
  const nowMs = parts.env.wall.nowMs();
  const { user } = authenticateV4<Requester>(request, {
    keys,
    nowMs,
    service,
    bodySha256: asked.bodySha256,
    userByAccessKey: (accessKey) =>
      parts.identities.byAccessKey(accessKey, sessionTokenOf(request), nowMs),
  });
  const { identity } = user as Requester;
  if (identity === undefined) throw new S3Error('AccessDenied');
  return { ...user, identity };
}

function actionContext(options: QueryOptions, asked: Asked, identity: Identity): ActionContext {
  const { env, cluster } = options.parts;
  const { secrets } = env;
  return {
    directory: cluster.directory(),
    identity,
    parameters: asked.parameters,
    nowMs: Math.floor(env.wall.nowMs()),
    newId: (prefix) => prefix + formatHex(secrets.bytes(8)).toUpperCase(),
    newKey: () => ({
      id: `HF${formatHex(secrets.bytes(9)).toUpperCase()}`,
      secret: formatHex(secrets.bytes(20)),
    }),
  };
}

/** An account's root, and who may change users without account, need no policy for it. */
function checkAction(options: QueryOptions, requester: Requester, asked: Asked, resource: string) {
  const { identity } = requester;
  const isFree =
    identity?.session?.kind !== 'role' && (identity?.isRoot === true || identity?.isAdmin === true);
  const asker = { user: requester, request: options.request, parts: options.parts };
  checkIdentity(asker, `iam:${asked.name}`, resource, isFree ? 'allow' : 'deny');
}

/** Decided anew, with the newest directory and requester, until nobody changes the directory meanwhile. */
async function decide(
  options: QueryOptions,
  asked: Asked,
  service: string,
  run: (requester: Required<Requester>, directory: Directory) => ActionAnswer,
): Promise<ActionAnswer> {
  const { cluster, tellSiblings } = options.parts;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const directory = cluster.directory();
    const answer = run(identify(options, asked, service), directory);
    if (answer.directory === undefined) return answer;
    const revision = directory.revision + 1;
    const outcome = await cluster.changeDirectory({ ...answer.directory, revision });
    if (outcome === 'stale') {
      options.parts.env.log.write('debug', 'users changed meanwhile', { action: asked.name });
      continue;
    }
    await tellSiblings({ kind: 'directory', revision });
    return answer;
  }
  throw new IamError('ConcurrentModification', 'Others change users all the time. Try again.');
}

function runAction(options: QueryOptions, asked: Asked, action: Action): Promise<ActionAnswer> {
  return decide(options, asked, 'iam', (requester, directory) => {
    const context = { ...actionContext(options, asked, requester.identity), directory };
    checkAction(options, requester, asked, action.resource(context));
    const newResource = action.newResource?.(context);
    if (newResource !== undefined) checkAction(options, requester, asked, newResource);
    return action.run(context);
  });
}

function runTopic(options: QueryOptions, asked: Asked, action: TopicAction): Promise<ActionAnswer> {
  const { parts, request } = options;
  return decide(options, asked, 'sns', (requester, directory) => {
    const context = {
      directory,
      owner: requester.name,
      region: parts.region,
      parameters: asked.parameters,
      nowMs: Math.floor(parts.env.wall.nowMs()),
    };
    const question = { ...action.target(context), action: `sns:${asked.name}` };
    if (!mayUseTopic({ user: requester, request, parts }, question))
      throw new IamError('AuthorizationError', 'The topic is not yours to do this with');
    return action.run(context);
  });
}

function runSession(options: QueryOptions, asked: Asked, action: SessionAction): string {
  const { parts, request } = options;
  const requester = identify(options, asked, 'sts');
  const asker = { user: requester, request, parts };
  const externalId = asked.parameters.get('ExternalId');
  const conditions = requestConditions(asker);
  return action({
    directory: parts.cluster.directory(),
    requester,
    identity: requester.identity,
    parameters: asked.parameters,
    nowMs: Math.floor(parts.env.wall.nowMs()),
    sessionsKey: parts.cluster.sessionsKey(),
    conditions: (key) => {
      if (key !== 'sts:externalid') return conditions(key);
      return externalId === undefined ? undefined : [externalId];
    },
    judgeOwn: (name, resource) => judgeOwn(asker, name, resource),
    randomBytes: (count) => parts.env.secrets.bytes(count),
  });
}

function answer(status: number, body: string): HttpResponse {
  const bytes = encodeUtf8(body);
  return {
    status,
    headers: [
      ['content-type', 'text/xml'],
      ['content-length', String(bytes.length)],
    ],
    body: bytes,
  };
}

interface Failure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

function failureOf(error: unknown): Failure {
  if (error instanceof IamError) return error;
  if (error instanceof ClientError && error.code === 'too-large')
    return new IamError('LimitExceeded', 'There are as many users and policies as can be kept.');
  const { status, code, message } = s3ErrorOf(error);
  // As IAM and STS name it.
  if (code === 'InvalidAccessKeyId')
    return { status, code: 'InvalidClientTokenId', message: 'The security token is not valid.' };
  return { status, code, message };
}

function failureResponse({ status, code, message }: Failure, requestId: string): HttpResponse {
  const error = element(
    'Error',
    textElement('Type', status < 500 ? 'Sender' : 'Receiver'),
    textElement('Code', code),
    textElement('Message', message),
  );
  const id = textElement('RequestId', requestId);
  return answer(status, `<ErrorResponse xmlns="${namespaces.iam}">${error}${id}</ErrorResponse>`);
}

async function run(
  options: QueryOptions,
  asked: Asked,
): Promise<[keyof typeof namespaces, string]> {
  const { name } = asked;
  const of = <T>(actions: Readonly<Record<string, T>>): T | undefined =>
    Object.hasOwn(actions, name) ? actions[name] : undefined;
  const ofSession = of(sessionActions);
  if (ofSession !== undefined) return ['sts', runSession(options, asked, ofSession)];
  const ofTopic = of(topicActions);
  if (ofTopic !== undefined) return ['sns', (await runTopic(options, asked, ofTopic)).result];
  const ofIam = of(iamActions);
  return ['iam', ofIam === undefined ? '' : (await runAction(options, asked, ofIam)).result];
}

async function operate(options: QueryOptions): Promise<HttpResponse> {
  const body = await readForm(options);
  const parameters = parseForm(body);
  const name = parameters.get('Action') ?? '';
  const asked: Asked = { name, parameters, bodySha256: hash('sha256', body, 'hex') };
  checkKnown(asked);
  const [service, result] = await run(options, asked);
  const id = element('ResponseMetadata', textElement('RequestId', options.requestId));
  const shown = result === '' ? '' : element(`${name}Result`, result.trim());
  const xmlns = namespaces[service];
  return answer(200, `<${name}Response xmlns="${xmlns}">${shown}${id}</${name}Response>`);
}

/** Throws nothing that a client may be told; what is the gateway's own fault goes to its log, as for S3. */
export async function answerQuery(options: QueryOptions): Promise<HttpResponse> {
  try {
    return await operate(options);
  } catch (error) {
    const failure = failureOf(error);
    if (failure.code === 'InternalError') throw error;
    return failureResponse(failure, options.requestId);
  }
}
