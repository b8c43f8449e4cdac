// Other people's S3 clients, as Debian ships them: called by path, with an environment of their own, because
// inherited AWS_* variables, configuration files, proxies and CA bundles change what they do.

import { equal } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Ended, Ready } from '../cluster-process.ts';
import { bytesOf, sha256 } from '../s3-session.ts';
import { atEnd, temporaryFolder } from '../test-cluster.ts';

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
  readonly #t: TestContext;
  readonly #path: string;
  readonly environment: NodeJS.ProcessEnv;

  /** In the folder given, or in one of its own that goes when the test ends. */
  constructor(
    t: TestContext,
    path: string,
    debianPackage: string,
    environment: NodeJS.ProcessEnv,
    folder: string = temporaryFolder(t),
  ) {
    try {
      accessSync(path, constants.X_OK);
    } catch {
      throw new Error(`${path} is missing: apt-get install ${debianPackage}`);
    }
    this.#t = t;
    this.#path = path;
    this.folder = folder;
    const home = join(folder, 'home');
    mkdirSync(home, { recursive: true });
    this.environment = { PATH: '/usr/bin:/bin', HOME: home, LANG: 'C.UTF-8', ...environment };
  }

  #spawn(args: readonly string[]): { readonly child: ChildProcess; readonly said: () => Ended } {
    const child = spawn(this.#path, args, {
      cwd: this.folder,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    return { child, said: () => ({ code: child.exitCode, stdout, stderr }) };
  }

  /** Resolves however it ends. */
  run(...args: readonly string[]): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const { child, said } = this.#spawn(args);
      const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
      child.once('error', reject);
      child.once('close', () => {
        clearTimeout(timer);
        resolve(said());
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

  /** Starts what runs until the test ends; resolves with what the pattern finds in its error output. */
  serve(ready: RegExp, ...args: readonly string[]): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const { child, said } = this.#spawn(args);
      const fail = (why: string) => reject(new Error(`${this.#path} ${args.join(' ')}: ${why}`));
      const timer = setTimeout(() => fail(`not ready: ${said().stderr}`), limitMs);
      child.once('error', reject);
      child.once('close', (code) => fail(`exit ${code}: ${said().stderr}`));
      child.stderr?.on('data', () => {
        const found = ready.exec(said().stderr);
        if (found === null) return;
        clearTimeout(timer);
        resolve(found);
      });
      atEnd(this.#t, () => {
        clearTimeout(timer);
        child.kill('SIGKILL');
      });
    });
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

/** Fetches a presigned URL as a browser does: without any header of S3's. */
export async function fetchPresigned(url: string, name: string, length: number): Promise<void> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  const body = new Uint8Array(await answer.arrayBuffer());
  equal(answer.status, 200, new TextDecoder().decode(body.subarray(0, 500)));
  equal(sha256(body), sha256(bytesOf(name, length)), name);
}
