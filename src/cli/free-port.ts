import { randomInt } from 'node:crypto';
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

/**
 * Where daemons listen that nobody asked for an address of. Below 32768 begin the ports that Linux gives
 * to outgoing connections: one of those could be taken between the choice and the daemon's listening.
 */
const daemonPortMin = 20_000;
const daemonPortMax = 32_767;
const choicesMax = 50;

/** The address if it is still free, else another port of the same host. Throws `EnvError`. */
export async function chooseLoopback(kept: string): Promise<string> {
  const { host, port } = requireHostPort(kept);
  let candidate = port;
  for (let choices = 0; ; choices++) {
    if (candidate !== 0) {
      const free = await probeAddress(formatHostPort({ host, port: candidate })).catch(
        (error: unknown) => {
          if (error instanceof EnvError && choices < choicesMax) return undefined;
          throw error;
        },
      );
      if (free !== undefined) return free;
    }
    candidate = randomInt(daemonPortMin, daemonPortMax + 1);
  }
}

/** An address people can connect to. */
export function urlOf(address: string): string {
  const { host, port } = requireHostPort(address);
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${formatHostPort({ host: reachable, port })}`;
}
