// Other people's S3 clients, as Debian ships them: called by path, with an environment of their own, because
// inherited AWS_* variables, configuration files, proxies and CA bundles change what they do.

import { equal } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ClusterProcess, type Ended, type Ready } from './cluster-process.ts';
import { bytesOf, sha256 } from './s3-session.ts';
import { atEnd, temporaryFolder } from './test-cluster.ts';

const limitMs = 120_000;

/** Names that clients encode in different ways, in paths, queries, signatures and listings. */
export const oddKeys: readonly string[] = [
  'plain.txt',
  'with space/and another one.txt',
  'plus+and%20percent%.txt',
  'ünïcödé/日本語/emoji-🎉.txt',
  'quotes\'"&<>=;:@,$!*()~[]{}^|`.txt',
  'a/b/c/deep.txt',
];

/** One of Debian's programs; a test fails, and is never skipped, when it is missing. */
export class ClientProgram {
  readonly folder: string;
  readonly #path: string;
  readonly environment: NodeJS.ProcessEnv;

  constructor(t: TestContext, path: string, debianPackage: string, environment: NodeJS.ProcessEnv) {
    try {
      accessSync(path, constants.X_OK);
    } catch {
      throw new Error(`${path} is missing: apt-get install ${debianPackage}`);
    }
    this.#path = path;
    this.folder = temporaryFolder(t);
    const home = join(this.folder, 'home');
    mkdirSync(home);
    this.environment = { PATH: '/usr/bin:/bin', HOME: home, LANG: 'C.UTF-8', ...environment };
  }

  /** Resolves however it ends. */
  run(...args: readonly string[]): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#path, args, {
        cwd: this.folder,
        env: this.environment,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.once('error', reject);
      child.once('close', (code) => {
        clearTimeout(timer);
        resolve({ code, stdout, stderr });
      });
    });
  }

  /** What it printed; throws with all of it when it fails. */
  async succeed(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code !== 0)
      throw new Error(`${this.#path} ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }
}

/** What the AWS tools read their keys and region from. */
export function awsEnvironment({ accessKey, secretKey }: Ready): NodeJS.ProcessEnv {
  return {
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

/** A cluster for the tests of one client. */
export async function startClusterFor(t: TestContext): Promise<ClusterProcess> {
  const cluster = await ClusterProcess.start(join(temporaryFolder(t), 'data'));
  atEnd(t, () => cluster.stop());
  return cluster;
}

/** Fetches a presigned URL as a browser does: without any header of S3's. */
export async function fetchPresigned(url: string, name: string, length: number): Promise<void> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  const body = new Uint8Array(await answer.arrayBuffer());
  equal(answer.status, 200, new TextDecoder().decode(body.subarray(0, 500)));
  equal(sha256(body), sha256(bytesOf(name, length)), name);
}
