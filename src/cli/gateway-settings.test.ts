import { deepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { parseGatewaySettings } from './gateway-settings.ts';

test('settings of the gateway are read, and what is not one is named', () => {
  deepEqual(parseGatewaySettings(undefined, 'f'), {});
  deepEqual(
    parseGatewaySettings(
      { storageClasses: ['COLD'], kmsKeys: ['photos'], lifecycleDaySeconds: 10 },
      'f',
    ),
    { storageClasses: ['STANDARD', 'COLD'], kmsKeys: ['photos'], lifecycleDayMs: 10_000 },
  );
  deepEqual(parseGatewaySettings({ signatureV2: false }, 'f'), { signatureV2: false });
  deepEqual(parseGatewaySettings({ loggingRollSeconds: 5 }, 'f'), { loggingRollMs: 5000 });
  deepEqual(parseGatewaySettings({ hostNames: ['s3.lan'], websiteNames: ['web.lan'] }, 'f'), {
    hostNames: ['s3.lan'],
    websiteNames: ['web.lan'],
  });
  deepEqual(parseGatewaySettings({ shardEntriesMax: 1000 }, 'f'), { shardEntriesMax: 1000 });
  deepEqual(parseGatewaySettings({ webhooks: 'any', notificationKeptSeconds: 60 }, 'f'), {
    webhooks: 'any',
    notificationKeptMs: 60_000,
  });
  for (const [value, words] of [
    [{ webhooks: true }, /one of none, public, private, any is needed/],
    [{ notificationKeptSeconds: 0 }, /seconds from 1 to 1209600/],
    [{ shardEntriesMax: 1 }, /gateway.shardEntriesMax: a whole number from 2 to 10000000/],
    [{ signatureV2: 'no' }, /true or false/],
    [{ websiteNames: ['a:80'] }, /is no host/],
    [[], /keys are needed/],
    [{ kmsKey: [] }, /did you mean "kmsKeys"/],
    [{ kmsKeys: 'photos' }, /a list/],
    [{ kmsKeys: ['a b'] }, /is no name/],
    [{ lifecycleDaySeconds: 0 }, /seconds from 1/],
  ] as const)
    throws(() => parseGatewaySettings(value, 'f'), words);
});
