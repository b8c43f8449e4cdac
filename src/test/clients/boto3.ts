// boto3 as in Debian, under Debian's Python. What it does is in boto3-session.py.

import { deepEqual } from 'node:assert/strict';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Ready } from '../cluster-process.ts';
import { awsEnvironment, ClientProgram, oddKeys } from './client-program.ts';

const script = join(
  dirname(fileURLToPath(import.meta.url)),
  ...['..', '..', '..', 'src', 'test', 'clients', 'boto3-session.py'],
);

export async function boto3(t: TestContext, ready: Ready): Promise<void> {
  const python = new ClientProgram(t, '/usr/bin/python3', 'python3', awsEnvironment(ready));
  const { code, stderr } = await python.run('-c', 'import boto3');
  if (code !== 0) throw new Error(`boto3 is missing: apt-get install python3-boto3\n${stderr}`);
  const said = await python.succeed(script, ready.s3, JSON.stringify(oddKeys));
  deepEqual(said.trimEnd().split('\n'), [
    'buckets',
    'put and get',
    'list',
    'multipart',
    'copy',
    'presigned URLs',
    'refusals',
    'signatures of version 2',
    'users and sessions',
    'delete',
  ]);
}
