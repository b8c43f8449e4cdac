// `npm run conformance:s3 -- --suite DIR`: a fetched copy of ceph/s3-tests against a cluster of its own, started
// in a temporary folder. Prints what does not pass, and writes docs/reference/s3-tests.md after a whole run. By hand only.

import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ClusterProcess } from './cluster-process.ts';
import { formatTable, missingAgainst, parseOutcomes } from './conformance-table.ts';

const usage =
  'npm run conformance:s3 -- --suite DIR [--only PATTERN] [--python PATH] [--against FILE] [--results FILE]\n' +
  '   or: npm run conformance:s3 -- --from FILE… [--against FILE], the page from results of runs of parts';
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const files = ['test_s3', 'test_headers', 'test_iam', 'test_sts', 'test_sns'];

/** Of one test. Lifecycle tests wait for several rounds. */
const testSeconds = 120;

const { values } = parseArgs({
  options: {
    suite: { type: 'string' },
    only: { type: 'string' },
    python: { type: 'string', default: '/usr/bin/python3' },
    against: { type: 'string' },
    results: { type: 'string' },
    from: { type: 'string', multiple: true },
  },
});
const { suite } = values;
if (
  values.from === undefined &&
  (suite === undefined || !existsSync(join(suite, 's3tests', 'functional')))
) {
  console.error(`--suite names no copy of ceph/s3-tests\n${usage}`);
  process.exit(2);
}

/** What the suite expects of a server that it tests: its own clocks for lifecycle rules and logs, two keys, two more classes. */
const lifecycleDaySeconds = 6;
const gatewaySettings = `
gateway:
  lifecycleDaySeconds: ${lifecycleDaySeconds}
  lifecycleIntervalSeconds: 1
  loggingRollSeconds: 5
  kmsKeys: [testkey-1, testkey-2]
  storageClasses: [LUKEWARM, FROZEN]
`;

interface Keys {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Of an account's root. */
  readonly account?: string;
}

const emailOf = (name: string): string => `${name}@example.com`;

/** Accounts' roots for the two sections of that name; the user that the suite calls `iam` may change the others. */
async function createUser(cluster: ClusterProcess, name: string): Promise<Keys> {
  const isRoot = name.endsWith('root');
  const wish = { name, email: emailOf(name), ...(isRoot ? {} : { isAdmin: name === 'iam' }) };
  const token = readFileSync(join(cluster.ready.data, 'keys', 'admin-token'), 'utf8').trim();
  const answer = await fetch(`${cluster.ready.admin}/v1/${isRoot ? 'accounts' : 'users'}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(wish),
  });
  if (!answer.ok) throw new Error(`user ${name}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Keys;
}

async function configuration(cluster: ClusterProcess): Promise<string> {
  const { hostname: host, port } = new URL(cluster.ready.s3);
  const lines = [
    '[DEFAULT]',
    `host = ${host}`,
    `port = ${port}`,
    'is_secure = False',
    'ssl_verify = False',
    '[fixtures]',
    'bucket prefix = holdfast-{random}-',
    'iam name prefix = s3-tests-',
    'iam path prefix = /s3-tests/',
  ];
  for (const section of ['s3 main', 's3 alt', 's3 tenant', 'iam', 'iam root', 'iam alt root']) {
    const name = section.replaceAll(' ', '-');
    const { accessKey, secretKey, account } = await createUser(cluster, name);
    lines.push(
      `[${section}]`,
      `display_name = ${name}`,
      `user_id = ${account ?? name}`,
      `email = ${emailOf(name)}`,
      `access_key = ${accessKey}`,
      `secret_key = ${secretKey}`,
    );
    if (section === 's3 main')
      lines.push(
        'api_name = default',
        `lc_debug_interval = ${lifecycleDaySeconds}`,
        'storage_classes = LUKEWARM, FROZEN',
        'kms_keyid = testkey-1',
        'kms_keyid2 = testkey-2',
      );
    if (section === 's3 tenant') lines.push('tenant =');
  }
  return `${lines.join('\n')}\n`;
}

/** What an environment of one's own must not change. */
const cleanEnvironment = { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' };

function output(program: string, ...args: readonly string[]): string {
  const options = { env: cleanEnvironment, encoding: 'utf8', stdio: 'pipe' } as const;
  return execFileSync(program, args, options).trim();
}

/** A copy need not be a clone. */
function commitOf(folder: string): string {
  try {
    return output('/usr/bin/git', '-C', folder, 'log', '-1', '--abbrev=12', '--format=%h (%cs)');
  } catch {
    return 'of an unknown commit';
  }
}

/** What is run on what, and when. */
function heading(suiteDir: string): string {
  const boto3 = output(resolve(values.python), '-c', 'import boto3; print(boto3.__version__)');
  const day = new Date().toISOString().slice(0, 10);
  return `ceph/s3-tests ${commitOf(suiteDir)}, boto3 ${boto3}, Holdfast ${commitOf(root)}, run on ${day}`;
}

/** What the tests came to, a line each, below a heading. */
async function runSuite(suiteDir: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-conformance-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  const dataDir = join(folder, 'data');
  // Made first, so that there is a holdfast.yaml to write into.
  await (await ClusterProcess.start(dataDir)).stop();
  appendFileSync(join(dataDir, 'holdfast.yaml'), gatewaySettings);
  const cluster = await ClusterProcess.start(dataDir);
  const results = join(folder, 'results');
  const home = join(folder, 'home');
  try {
    mkdirSync(home);
    writeFileSync(results, `# ${heading(suiteDir)}\n`);
    writeFileSync(join(folder, 's3tests.conf'), await configuration(cluster));
    const args = [
      ...['-m', 'pytest', '-q', '--no-header', '--tb=no', '-p', 's3_tests_results'],
      ...['-p', 'no:cacheprovider', `--timeout=${testSeconds}`],
      ...(values.only === undefined ? [] : ['-k', values.only]),
      ...files.map((name) => `s3tests/functional/${name}.py`),
    ];
    const child = spawn(resolve(values.python), args, {
      cwd: suiteDir,
      env: {
        ...cleanEnvironment,
        HOME: home,
        PYTHONPATH: join(root, 'src', 'test'),
        PYTHONDONTWRITEBYTECODE: '1',
        S3TEST_CONF: join(folder, 's3tests.conf'),
        S3_TESTS_RESULTS: results,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const code = await new Promise<number | null>((done, fail) => {
      child.once('error', fail).once('close', done);
    });
    // 0: all passed; 1: some failed. Anything else is pytest's own trouble, such as a missing plugin.
    if (code !== 0 && code !== 1)
      throw new Error(`pytest ended with ${code}; it needs boto3, requests and pytest-timeout`);
    return readFileSync(results, 'utf8');
  } finally {
    await cluster.stop();
  }
}

const text =
  values.from === undefined
    ? await runSuite(suite ?? '')
    : values.from.map((file) => readFileSync(file, 'utf8')).join('');
if (values.results !== undefined) writeFileSync(values.results, text);
// Of a test that was run again, the last outcome counts.
const outcomes = [...new Map(parseOutcomes(text).map((each) => [each.test, each])).values()];
const against =
  values.against === undefined
    ? undefined
    : {
        name: basename(values.against).replace(/^s3tests-|\.[a-z]+$/g, ''),
        outcomes: parseOutcomes(readFileSync(values.against, 'utf8')),
      };
const page = formatTable(outcomes, against);
console.log(page);
for (const { test } of missingAgainst(outcomes, against?.outcomes ?? []))
  console.log(`passes there, not here: ${test}`);
if (values.only === undefined) {
  const reference = join(root, 'docs', 'reference');
  mkdirSync(reference, { recursive: true });
  writeFileSync(join(reference, 's3-tests.md'), page);
}
