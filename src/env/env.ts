// The injected world. Core code reaches time, chance, disk and network only through an `Env`, handed
// to constructors first; one env belongs to one daemon. `host` has the real one, `testing` the
// simulated one.

import type { Clock, WallClock } from './clock.ts';
import type { Files } from './files.ts';
import type { HttpClient, HttpServers } from './http.ts';
import type { Log } from './log.ts';
import type { Memory } from './memory.ts';
import type { Network } from './network.ts';
import type { Random, Secrets } from './random.ts';
import type { Tasks } from './tasks.ts';

export interface Env {
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly random: Random;
  readonly secrets: Secrets;
  /** Rooted at the daemon's own data directory. */
  readonly files: Files;
  readonly network: Network;
  readonly http: HttpServers;
  readonly httpClient: HttpClient;
  readonly tasks: Tasks;
  readonly log: Log;
  readonly memory: Memory;
}
