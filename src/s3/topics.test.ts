// Topics over SNS's API: whose they are, who else may use them, what they may point to.

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { mayReach, parseWebhook, type WebhookReach } from './protocol/webhook.ts';
import { alice, bob, startTestGateway } from './testing/gateway-suite.ts';
import { ask, makeAccount, makeUser, type Parameters, root } from './testing/iam-suite.ts';

const arn = 'arn:aws:sns:us-east-1:alice:events';

async function bench() {
  const gateway = await startTestGateway();
  const sns = (user: typeof alice, action: string, parameters: Parameters = {}) =>
    ask(gateway, user, action, parameters, 'sns');
  return { gateway, sns };
}

function attributes(values: Readonly<Record<string, string>>): Parameters {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value], i) => [
      [`Attributes.entry.${i + 1}.key`, key],
      [`Attributes.entry.${i + 1}.value`, value],
    ]),
  );
}

test('a topic is made, shown, changed and deleted by its owner', async () => {
  const { gateway, sns } = await bench();
  const asked = { 'push-endpoint': 'https://hook.example:8443/in?token=1', OpaqueData: '<me>' };
  const made = await sns(alice, 'CreateTopic', { Name: 'events', ...attributes(asked) });
  equal(made.value('TopicArn'), arn);
  match(
    made.text,
    /^<CreateTopicResponse xmlns="http:\/\/sns\.amazonaws\.com\/doc\/2010-03-31\/">/,
  );
  const shown = await sns(alice, 'GetTopicAttributes', { TopicArn: arn });
  match(shown.text, /<key>OpaqueData<\/key><value>&lt;me&gt;<\/value>/);
  match(shown.text, /hook\.example:8443\/in\?token=1/);
  const set = { TopicArn: arn, AttributeName: 'time_to_live', AttributeValue: '60' };
  equal((await sns(alice, 'SetTopicAttributes', set)).status, 200);
  const one = await sns(alice, 'GetTopic', { TopicArn: arn });
  equal(one.value('TimeToLive'), '60');
  equal(one.value('EndpointAddress'), 'https://hook.example:8443/in?token=1', 'and the rest stays');
  equal((await sns(alice, 'ListTopics')).value('TopicArn'), arn);
  equal((await sns(bob, 'ListTopics')).value('TopicArn'), '');
  equal((await sns(alice, 'DeleteTopic', { TopicArn: arn })).status, 200);
  equal((await sns(alice, 'DeleteTopic', { TopicArn: arn })).status, 200);
  const gone = await sns(alice, 'GetTopicAttributes', { TopicArn: arn });
  deepEqual([gone.status, gone.code], [404, 'NotFound']);
  await gateway.gateway.close();
});

test("topics are listed a page at a time, and there is a bound to one owner's", async () => {
  const { gateway, sns } = await bench();
  for (let i = 0; i < 100; i++)
    await sns(alice, 'CreateTopic', { Name: `t${String(i).padStart(3, '0')}` });
  equal((await sns(alice, 'CreateTopic', { Name: 'more' })).code, 'TopicLimitExceeded');
  equal((await sns(alice, 'CreateTopic', { Name: 't007' })).status, 200, 'one that is there');
  const page = await sns(alice, 'ListTopics');
  equal(page.text.split('<member>').length, 101);
  const rest = await sns(alice, 'ListTopics', { NextToken: 't097' });
  equal(rest.text.split('<member>').length, 3);
  await gateway.gateway.close();
});

test("another's topic is used by whom its policy lets in, and by nobody else", async () => {
  const { gateway, sns } = await bench();
  await sns(alice, 'CreateTopic', { Name: 'events' });
  const get = () => sns(bob, 'GetTopicAttributes', { TopicArn: arn });
  deepEqual([(await get()).status, (await get()).code], [403, 'AuthorizationError']);
  equal((await sns(bob, 'DeleteTopic', { TopicArn: arn })).code, 'AuthorizationError');
  const policy = JSON.stringify({
    Statement: { Effect: 'Allow', Principal: { AWS: 'bob' }, Action: 'sns:Get*', Resource: arn },
  });
  const set = { TopicArn: arn, AttributeName: 'Policy', AttributeValue: policy };
  equal((await sns(bob, 'SetTopicAttributes', set)).code, 'AuthorizationError');
  equal((await sns(alice, 'SetTopicAttributes', set)).status, 200);
  equal((await get()).status, 200);
  equal((await sns(bob, 'DeleteTopic', { TopicArn: arn })).code, 'AuthorizationError');
  const broken = { ...set, AttributeValue: '{' };
  equal((await sns(alice, 'SetTopicAttributes', broken)).code, 'MalformedPolicyDocument');
  await gateway.gateway.close();
});

test("an account's users need a policy for its topics", async () => {
  const { gateway, sns } = await bench();
  await makeAccount(gateway);
  const user = await makeUser(gateway, root, 'ann');
  const made = await sns(root, 'CreateTopic', { Name: 'events' });
  equal(made.value('TopicArn'), `arn:aws:sns:us-east-1:${root.name}:events`);
  equal((await sns(user, 'ListTopics')).code, 'AuthorizationError');
  await ask(gateway, root, 'AttachUserPolicy', {
    UserName: 'ann',
    PolicyArn: 'arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess',
  });
  equal((await sns(user, 'ListTopics')).value('Name'), 'events');
  equal((await sns(user, 'CreateTopic', { Name: 'other' })).code, 'AuthorizationError');
  await gateway.gateway.close();
});

test('what is not there is refused by its name, and so is what makes no sense', async () => {
  const { gateway, sns } = await bench();
  for (const [values, code, words] of [
    [{ 'push-endpoint': 'amqp://host/vhost' }, 'NotImplemented', /push-endpoint amqp/],
    [{ 'push-endpoint': 'kafka://host:9092' }, 'NotImplemented', /push-endpoint kafka/],
    [{ 'amqp-exchange': 'ex' }, 'NotImplemented', /amqp-exchange/],
    [{ persistent: 'false' }, 'NotImplemented', /persistent/],
    [{ cloudevents: 'true' }, 'NotImplemented', /cloudevents/],
    [{ max_retries: '3' }, 'NotImplemented', /max_retries/],
    [{ DisplayName: 'x' }, 'NotImplemented', /DisplayName/],
    [{ 'push-endpoint': 'http://user:secret@host/' }, 'InvalidParameter', /names no user/],
    [{ 'push-endpoint': 'nowhere' }, 'InvalidParameter', /URL/],
    [{ 'push-endpoint': 'http://host:0/' }, 'InvalidParameter', /port/],
    [{ time_to_live: '0' }, 'InvalidParameter', /time_to_live/],
  ] as const) {
    const answer = await sns(alice, 'CreateTopic', { Name: 'x', ...attributes(values) });
    equal(answer.code, code, JSON.stringify(values));
    match(answer.value('Message'), words);
  }
  equal((await sns(alice, 'CreateTopic', { Name: 'a.fifo' })).code, 'InvalidParameter');
  equal((await sns(alice, 'Publish', { TopicArn: arn })).code, 'NotImplemented');
  equal((await sns(alice, 'GetTopic', { TopicArn: 'x' })).code, 'InvalidParameter');
  await gateway.gateway.close();
});

test('a webhook is taken apart as it will be called', () => {
  deepEqual(parseWebhook('https://h.example'), {
    isTls: true,
    host: 'h.example',
    port: 443,
    target: '/',
  });
  deepEqual(parseWebhook('HTTP://[::1]:8080/a/b?c=d'), {
    isTls: false,
    host: '::1',
    port: 8080,
    target: '/a/b?c=d',
  });
});

test('which addresses a webhook may have is what the operator says', () => {
  const seen = (address: string): string =>
    (['none', 'public', 'private', 'any'] satisfies WebhookReach[])
      .filter((reach) => mayReach(reach, address))
      .join(' ');
  for (const address of [
    '93.184.216.34',
    '2001:4860:4860::8888',
    '172.32.0.1',
    '2002:5db8:d822::1',
  ])
    equal(seen(address), 'public private any', address);
  for (const address of ['10.1.2.3', '172.16.0.1', '192.168.1.1', '100.64.0.1', 'fd00::1'])
    equal(seen(address), 'private any', address);
  for (const address of ['127.0.0.1', '127.8.8.8', '169.254.169.254', '::1', 'fe80::1'])
    equal(seen(address), 'any', address);
  // The same in other clothes.
  for (const address of ['::ffff:7f00:1', '64:ff9b::a9fe:a9fe', '2002:7f00:1::'])
    equal(seen(address), 'any', address);
  for (const address of [
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    'ff02::1',
    'localhost',
    '',
  ])
    equal(seen(address), '', address);
  ok(!mayReach('any', '::ffff:127.0.0.1x'));
});
