// Sessions in a whole cluster, for the quarter of an hour that they last at least: begun at one gateway and used at all,
// whose clocks differ, while daemons die. Each gateway lets them in until their time is over by its own clock, and not
// a moment longer.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../base/bytes.ts';
import { copies } from '../map/geometry.ts';
import { s3Methods } from '../s3/index/methods.ts';
import { parseIsoDate } from '../s3/protocol/dates.ts';
import { elementOf, oneOf } from './s3-bucket.ts';
import type { FormCall, S3Call, Signer } from './s3-request.ts';
import { S3Asker } from './s3-values.ts';
import { faultOfUse } from './session-times.ts';
import { SimulatedCluster, type SimulatedGateway } from './simulated-cluster.ts';
import { policyText } from './users-workload.ts';

const pools = [
  { name: '.index', geometry: copies(3, 2), failureDomain: 'host', pgCount: 1 },
  { name: 'data', geometry: copies(3, 2), failureDomain: 'host', pgCount: 1 },
] as const;

/** Of each gateway's wall clock. */
const wallOffsetsMs = [0, 40_000, -70_000];

const playedMs = 1_200_000;

/** Around the end of a session uses come close after each other. */
const closeMs = 4000;
const closePauseMs = 400;
const pauseMsMax = 20_000;

interface BegunSession {
  readonly name: string;
  readonly signer: Signer;
  readonly expiresMs: number;
  letIn: number;
  refused: number;
  /** By the clock of whoever was asked: the last use before its end, and the first after it. */
  lastBeforeMs: number;
  firstAfterMs: number;
}

for (const seed of [6])
  test(`a session is let in until its end at each gateway, and never after (seed ${seed})`, async () => {
    const cluster = new SimulatedCluster({
      seed,
      osdCount: 3,
      pools,
      methods: s3Methods,
      clocksDiffer: true,
    });
    const { random, scheduler } = cluster;
    const problems: string[] = [];
    const asker = new S3Asker(problems);
    await cluster.start();
    const gateways: SimulatedGateway[] = [];
    const startGateway = async (at: number): Promise<void> => {
      const gateway = await cluster.gateway();
      cluster.setWallOffset(gateway.name, wallOffsetsMs[at] as number);
      gateways[at] = gateway;
    };
    for (const at of wallOffsetsMs.keys()) await startGateway(at);
    const at = (index: number): SimulatedGateway => gateways[index] as SimulatedGateway;
    const ask = (gateway: SimulatedGateway, call: S3Call) =>
      cluster.settle(asker.ask(gateway, call), call.path);
    const form = (gateway: SimulatedGateway, call: FormCall) =>
      cluster.settle(asker.askForm(gateway, call), call.action);

    const account = { name: 'firm', email: '' };
    const made = await cluster.settle(cluster.monitor.users.createAccount(account), 'an account');
    const root = { accessKey: made.accessKey, secretKey: made.secretKey };
    await scheduler.run(5000);
    const service = 'iam';
    const trust = [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: '*' } }];
    const role = await form(at(0), {
      service,
      action: 'CreateRole',
      parameters: { RoleName: 'reader', AssumeRolePolicyDocument: policyText(trust) },
      signer: root,
    });
    equal(role?.status, 200);
    const RoleArn = elementOf(role, 'Arn') ?? '';
    const allow = [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }];
    const parameters = {
      RoleName: 'reader',
      PolicyName: 'own',
      PolicyDocument: policyText(allow),
    };
    equal(
      (await form(at(0), { service, action: 'PutRolePolicy', parameters, signer: root }))?.status,
      200,
    );
    const path = '/bucket/key';
    equal((await ask(at(0), { method: 'PUT', path: '/bucket', signer: root }))?.status, 200);
    const body = encodeUtf8('text');
    equal((await ask(at(0), { method: 'PUT', path, body, signer: root }))?.status, 200);
    await scheduler.run(5000);

    const begin = async (index: number, seconds: number, action: string) => {
      const own = action === 'AssumeRole' ? { RoleArn, RoleSessionName: 'session' } : {};
      const answer = await form(at(index), {
        service: 'sts',
        action,
        parameters: { ...own, DurationSeconds: String(seconds) },
        signer: root,
      });
      equal(answer?.status, 200, `${action} at gateway ${index}`);
      const of = (name: string): string => elementOf(answer, name) ?? '';
      const session: BegunSession = {
        name: `${action} of ${seconds} s`,
        signer: {
          accessKey: of('AccessKeyId'),
          secretKey: of('SecretAccessKey'),
          token: of('SessionToken'),
        },
        expiresMs: parseIsoDate(of('Expiration')) ?? Number.NaN,
        letIn: 0,
        refused: 0,
        lastBeforeMs: 0,
        firstAfterMs: Number.POSITIVE_INFINITY,
      };
      const wallMs = at(index).process.env.wall.nowMs();
      ok(Math.abs(session.expiresMs - wallMs - seconds * 1000) < 1000, 'it lasts as was asked');
      return session;
    };
    const sessions = [
      await begin(0, 900, 'AssumeRole'),
      await begin(1, 930, 'AssumeRole'),
      await begin(2, 1000, 'AssumeRole'),
      await begin(0, 960, 'GetSessionToken'),
    ];

    const use = async (session: BegunSession, gateway: SimulatedGateway): Promise<void> => {
      const { wall } = gateway.process.env;
      const { expiresMs, signer } = session;
      const calledMs = wall.nowMs();
      const answer = await ask(gateway, { method: 'GET', path, signer });
      const answeredMs = wall.nowMs();
      if (answer === undefined || answer.status >= 500) return;
      const isExpired = elementOf(answer, 'Code') === 'ExpiredToken';
      if (!isExpired && answer.status !== 200)
        problems.push(`${session.name} was answered ${answer.status} ${elementOf(answer, 'Code')}`);
      const verdict = isExpired ? 'expired' : 'let in';
      const fault = faultOfUse({ expiresMs, calledMs, answeredMs, verdict });
      if (fault !== undefined) problems.push(`${session.name} at ${gateway.name}: ${fault}`);
      if (isExpired) session.refused++;
      else session.letIn++;
      if (answeredMs < expiresMs) session.lastBeforeMs = Math.max(session.lastBeforeMs, answeredMs);
      if (calledMs >= expiresMs) session.firstAfterMs = Math.min(session.firstAfterMs, calledMs);
    };

    const disturb = async (): Promise<void> => {
      switch (random.below(8)) {
        case 0: {
          const osd = random.below(3);
          cluster.killOsd(osd, { power: random.below(2) === 0 });
          await cluster.startOsd(osd);
          return;
        }
        case 1:
          cluster.killMonitor({ power: random.below(2) === 0 });
          await scheduler.run(random.below(3000));
          return cluster.startMonitor();
        case 2: {
          const index = random.below(gateways.length);
          at(index).process.kill();
          return startGateway(index);
        }
      }
    };

    const end = scheduler.now() + playedMs;
    let jumps = 0;
    while (scheduler.now() < end) {
      const gateway = oneOf(random, gateways);
      for (const session of sessions) await use(session, gateway);
      // A clock that is set ahead ends them all there, until it is set right.
      if (jumps === 0 && scheduler.now() > playedMs / 3) {
        jumps++;
        cluster.setWallOffset(gateway.name, playedMs);
        for (const session of sessions) await use(session, gateway);
        ok(sessions.every(({ refused }) => refused === 1));
        cluster.setWallOffset(gateway.name, wallOffsetsMs[gateways.indexOf(gateway)] as number);
      }
      const left = gateways.flatMap(({ process }) =>
        sessions.map(({ expiresMs }) => expiresMs - process.env.wall.nowMs()),
      );
      const isClose = left.some((ms) => Math.abs(ms) < closeMs);
      if (!isClose) await disturb();
      const next = Math.min(...left.filter((ms) => ms >= closeMs), pauseMsMax + closeMs);
      await scheduler.run(
        isClose ? closePauseMs : Math.min(random.below(pauseMsMax), next - closeMs + 1),
      );
    }
    deepEqual(problems, []);
    for (const { name, letIn, refused, lastBeforeMs, firstAfterMs } of sessions) {
      ok(letIn > 20 && refused > 5, `${name}: let in ${letIn} times, refused ${refused} times`);
      ok(firstAfterMs - lastBeforeMs < 2 * closeMs, `${name}: tried just before and after its end`);
    }
    deepEqual(cluster.failures, []);
  });
