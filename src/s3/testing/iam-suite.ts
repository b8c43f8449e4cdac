// IAM and STS as a client asks for them, for tests: a form posted to the gateway and signed for the service.

import type { User } from '../../client/cluster.ts';
import { withAccount } from '../../mon/users.ts';
import { bodyText, sign, type TestGateway } from './gateway-suite.ts';

export interface IamAnswer {
  readonly status: number;
  /** Empty: it went well. */
  readonly code: string;
  readonly text: string;
  /** Text of the first element of that name. */
  value(name: string): string;
}

export type Parameters = Readonly<Record<string, string>>;

/** Credentials of a session, beside what signs. */
export interface SessionUser extends User {
  readonly token: string;
}

export const root: User = { name: '100000000001', accessKey: 'AKROOT', secretKey: 'root-secret' };

/** Makes the account that `root` is the root of. */
export async function makeAccount(gateway: TestGateway, user: User = root): Promise<void> {
  const { cluster } = gateway;
  const before = cluster.directory();
  const account = { ...user, id: user.name, name: `account-${user.name}`, email: '' };
  const after = withAccount(before, account, 0);
  await cluster.changeDirectory({ ...after, revision: before.revision + 1 });
}

export async function ask(
  gateway: TestGateway,
  user: User | SessionUser,
  action: string,
  parameters: Parameters = {},
  service = 'iam',
): Promise<IamAnswer> {
  const body = new URLSearchParams({ Action: action, Version: '2010-05-08', ...parameters });
  const token = 'token' in user ? { 'x-amz-security-token': user.token } : {};
  const response = await gateway.handle(
    sign({
      method: 'POST',
      path: '/',
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', ...token },
      body: body.toString(),
      user,
      service,
      wallMs: gateway.wallMs,
    }),
  );
  const text = await bodyText(response);
  const value = (name: string): string =>
    new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? '';
  return { status: response.status, code: value('Code'), text, value };
}

/** A document of one statement. */
export function policyOf(statement: object): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
}

/** A key of a new user of the account. */
export async function makeUser(gateway: TestGateway, by: User, name: string): Promise<User> {
  await ask(gateway, by, 'CreateUser', { UserName: name });
  const key = await ask(gateway, by, 'CreateAccessKey', { UserName: name });
  return {
    name: by.name,
    accessKey: key.value('AccessKeyId'),
    secretKey: key.value('SecretAccessKey'),
  };
}

/** What AssumeRole or GetSessionToken gave. */
export function sessionOf(answer: IamAnswer): SessionUser {
  return {
    name: '',
    accessKey: answer.value('AccessKeyId'),
    secretKey: answer.value('SecretAccessKey'),
    token: answer.value('SessionToken'),
  };
}
