// Who has a port that can't be had.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { EnvError } from '../env/errors.ts';
import { parseHostPort } from '../host/addresses.ts';
import { CliError } from './errors.ts';
import { probeAddress } from './free-port.ts';

/** Throws `CliError` saying what can't be had and who has it. Nothing is kept open. */
export async function requireFree(what: string, flag: string, address: string): Promise<void> {
  try {
    await probeAddress(address);
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    throw new CliError(
      1,
      `${what} ${describeTrouble(address, error)}; choose another with ${flag}`,
    );
  }
}

function describeTrouble(address: string, error: EnvError): string {
  switch (error.code) {
    case 'address-in-use':
      return `${address} is taken by ${describeHolder(address)}`;
    case 'denied':
      return `${address} may not be used by this user (ports below 1024 need privileges)`;
    default:
      return `${address} can't be used: ${error.message}`;
  }
}

function describeHolder(address: string): string {
  const port = parseHostPort(address)?.port ?? 0;
  const inodes = listeningInodes(port);
  const pid = inodes.size === 0 ? undefined : holderOf(inodes);
  if (pid === undefined) return 'another process (of another user, or outside this container)';
  const command = readOr(`/proc/${pid}/cmdline`, '').replace(/\0/g, ' ').trim().slice(0, 120);
  return `"${command}" (pid ${pid})`;
}

/** State 0A is LISTEN; the port is the hexadecimal end of the second column, the inode the tenth. */
function listeningInodes(port: number): ReadonlySet<string> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const line of readOr(table, '').split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[3] === '0A' && columns[1]?.endsWith(`:${wanted}`) && columns[9] !== undefined)
        inodes.add(columns[9]);
    }
  return inodes;
}

function holderOf(inodes: ReadonlySet<string>): number | undefined {
  for (const name of listOr('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    for (const descriptor of listOr(`/proc/${name}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOr(`/proc/${name}/fd/${descriptor}`))?.[1];
      if (inode !== undefined && inodes.has(inode)) return Number(name);
    }
  }
  return undefined;
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return otherwise;
  }
}

function listOr(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOr(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
