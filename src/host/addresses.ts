// `host:port` texts, IPv6 hosts in brackets.

import { EnvError } from '../env/errors.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Undefined when the text is not `host:port` with a port from 0 to 65535. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  const host = match[1] ?? match[2];
  return host === undefined || port > 65535 ? undefined : { host, port };
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Throws `EnvError` `unreachable`. */
export function requireHostPort(text: string): HostPort {
  const parsed = parseHostPort(text);
  if (parsed === undefined) throw new EnvError('unreachable', `"${text}" is not host:port`);
  return parsed;
}
