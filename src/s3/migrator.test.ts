// What gateways say of moving a pool to another layout. That it moves everything is shown in the simulator.

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { startTestGateway } from './testing/gateway-suite.ts';

test('that all is moved is said again and again, for a monitor that has just been started', async () => {
  const { cluster, clock } = await startTestGateway({ time: 'manual', migrateIntervalMs: 1000 });
  cluster.drainingLayouts = [{ ...cluster.layout, layout: cluster.layout.layout + 1 }];
  await clock.advance(5000);
  ok((cluster.migrationProgress?.cleanPasses ?? 0) >= 2);
  let told = 0;
  cluster.reportMigration = (_, { toLayout }) => {
    told++;
    equal(toLayout, cluster.layout.layout);
  };
  await clock.advance(3000);
  ok(told > 0);
});
