import { createServer } from 'node:net';
import { EnvError } from '../env/errors.ts';
import { formatHostPort, requireHostPort } from '../host/addresses.ts';
import { listenOn } from '../host/host-network.ts';

/** The address as it would be bound, with a port chosen for 0. Throws `EnvError`. */
export async function probeAddress(address: string): Promise<string> {
  const listener = await listenOn(createServer(), address);
  await listener.close();
  return listener.address;
}

/** The address if it is still free, else another port of the same host. */
export async function chooseLoopback(kept: string): Promise<string> {
  try {
    return await probeAddress(kept);
  } catch (error) {
    const { host, port } = requireHostPort(kept);
    if (!(error instanceof EnvError) || port === 0) throw error;
    return probeAddress(formatHostPort({ host, port: 0 }));
  }
}

/** An address people can connect to. */
export function urlOf(address: string): string {
  const { host, port } = requireHostPort(address);
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${formatHostPort({ host: reachable, port })}`;
}
