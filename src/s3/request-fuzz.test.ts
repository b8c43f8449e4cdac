// A short run of what `npm run fuzz` does for hours, and the proof that its grammar reaches everything: each S3 action
// that the gateway has succeeded, and each of IAM, STS and SNS did or found that what it is about is not there or there already.

import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { actionNames } from './iam/query-api.ts';
import { routeNames } from './router.ts';
import { fuzzRound, type Seen } from './testing/fuzz/fuzz-round.ts';

/** There is none, and so no success: it answers that there is no configuration. */
const neverSucceeds = 'bucket GET replication';

const requestsPerRound = 1000;

/** Three always; more only until every action was reached, so that a change elsewhere needs no other seeds. */
const roundsMin = 3;
const roundsMax = 20;

function missing(seen: Seen): string[] {
  const reached = new Set([neverSucceeds]);
  for (const outcome of seen.keys()) {
    const [, name = '', status] = /^(.*) (\d{3})(?: \S+)?$/.exec(outcome) ?? [];
    const isQuery = /^(iam|sts|sns) /.test(name);
    if (Number(status) < 300 || (isQuery && (status === '404' || status === '409')))
      reached.add(name);
  }
  const all = [
    ...routeNames.bucket.map((name) => `bucket ${name}`),
    ...routeNames.object.map((name) => `object ${name}`),
    ...actionNames.iam.map((name) => `iam ${name}`),
    ...actionNames.sts.map((name) => `sts ${name}`),
    ...actionNames.sns.map((name) => `sns ${name}`),
  ];
  return all.filter((name) => !reached.has(name));
}

test('random requests get answers that are in order, and leave nothing held', async (t) => {
  const seen: Seen = new Map();
  let round = 0;
  while (round < roundsMin || (round < roundsMax && missing(seen).length > 0))
    await fuzzRound(++round, requestsPerRound, seen);
  deepEqual(missing(seen), [], 'the grammar of requests reaches every action');
  t.diagnostic(`${round * requestsPerRound} requests, ${seen.size} outcomes`);
});

test('a seed gives the same answers again', async () => {
  const run = async (): Promise<Seen> => {
    const seen: Seen = new Map();
    await fuzzRound(7, 300, seen);
    return seen;
  };
  const first = await run();
  ok(first.size > 50);
  deepEqual(await run(), first);
});
