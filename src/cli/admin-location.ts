// Where the admin API of the meant cluster is, and the token for it: flags, then the environment, then
// what the data directory knows.

import { AdminClient } from './admin-client.ts';
import { DataDir } from './data-dir.ts';
import { readLock } from './data-lock.ts';
import { CliError } from './errors.ts';
import { urlOf } from './free-port.ts';

export interface LocationFlags {
  readonly admin?: string | undefined;
  readonly data: string;
}

export function locateAdmin({ admin, data }: LocationFlags): AdminClient {
  const given = admin ?? process.env.HOLDFAST_ADMIN;
  return new AdminClient({
    url: given === undefined ? urlFrom(data) : normaliseUrl(given),
    token: process.env.HOLDFAST_TOKEN ?? tokenFrom(data),
  });
}

function normaliseUrl(given: string): string {
  const withScheme = given.includes('://') ? given : `http://${given}`;
  let url: URL;
  try {
    url = new URL(withScheme);
  } catch {
    throw new CliError(
      2,
      `--admin ${given}: that is no URL; example: --admin http://127.0.0.1:7440`,
    );
  }
  if (url.protocol !== 'http:')
    throw new CliError(
      2,
      `--admin ${given}: only http: is spoken; example: --admin http://127.0.0.1:7440`,
    );
  return url.origin;
}

/** A running cluster says where it listens; otherwise where it would. */
function urlFrom(data: string): string {
  const dir = new DataDir(data);
  const lock = readLock(dir.path);
  if (lock?.admin !== undefined) return lock.admin;
  const configured = existing(dir, () => dir.readConfig().admin);
  if (lock !== undefined) return urlOf(configured);
  throw new CliError(
    1,
    `the cluster in ${dir.path} does not run here: start it with \`holdfast up\``,
  );
}

function tokenFrom(data: string): string {
  const dir = new DataDir(data);
  return existing(dir, () => dir.readAdminToken());
}

function existing<T>(dir: DataDir, read: () => T): T {
  const state = dir.inspect();
  if (state.kind === 'new')
    throw new CliError(
      1,
      `there is no cluster in ${dir.path}: start one with \`holdfast up\`, or name its directory with --data (or --admin and HOLDFAST_TOKEN for one elsewhere)`,
    );
  return read();
}
