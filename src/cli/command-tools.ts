// What all commands that talk to a running cluster share: finding the admin API, printing, waiting.

import type { Command } from 'commander';
import type { PgView, Status } from '../admin/views.ts';
import type { AdminClient } from './admin-client.ts';
import { type LocationFlags, locateAdmin } from './admin-location.ts';
import { CliError } from './errors.ts';
import { Progress } from './progress.ts';

export interface CommonFlags extends LocationFlags {
  readonly json: boolean;
}

export interface WaitFlags extends CommonFlags {
  readonly wait?: boolean;
  readonly timeout: number;
}

export interface LossFlags extends CommonFlags {
  readonly acceptLoss?: string;
}

/** Adds the flags that every command has. */
export type Decorate = (command: Command) => Command;
/** The same, and those of a command that can wait; `what` for. */
export type DecorateWaiting = (command: Command, what: string) => Command;

/** How often a waiting command looks. */
const pollMs = 250;

export async function withAdmin(
  flags: CommonFlags,
  work: (admin: AdminClient) => Promise<void>,
): Promise<void> {
  const admin = locateAdmin(flags);
  try {
    await work(admin);
  } finally {
    admin.close();
  }
}

export function print<T extends object>(
  { json }: CommonFlags,
  answer: T,
  show: (answer: T) => string,
): void {
  process.stdout.write(json ? `${JSON.stringify(answer)}\n` : show(answer));
}

/** A new pool's primaries start within a moment; nobody should find it not serving. */
const newPoolSeconds = 20;

export async function untilServing(
  admin: AdminClient,
  pool: string,
  flags: CommonFlags,
): Promise<void> {
  const progress = new Progress('serving', { quiet: flags.json });
  const path = `/v1/pgs?pool=${encodeURIComponent(pool)}`;
  await until({ ...flags, timeout: newPoolSeconds }, `pool ${pool} to serve`, async () => {
    const { pgs } = await admin.get<{ pgs: readonly PgView[] }>(path);
    const serving = pgs.filter((pg) => pg.serving).length;
    progress.show(serving, pgs.length, '');
    return serving === pgs.length ? true : undefined;
  });
  progress.end();
}

/** Also right after a change: the first look may come before the cluster has begun to move. */
export async function untilClean(admin: AdminClient, flags: WaitFlags): Promise<void> {
  const progress = new Progress('clean', { quiet: flags.json });
  await until(flags, 'all placement groups to be clean', async () => {
    const { pgs, recovery } = await admin.get<Status>('/v1/status');
    progress.show(
      pgs.clean,
      pgs.total,
      recovery.missing > 0 ? `(${recovery.missing} items missing)` : '',
    );
    return pgs.clean === pgs.total ? true : undefined;
  });
  progress.end();
}

export async function until<T>(
  { timeout }: WaitFlags,
  what: string,
  look: () => Promise<T | undefined>,
): Promise<T> {
  for (const deadline = Date.now() + timeout * 1000; ; ) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new CliError(1, `waited ${timeout} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
