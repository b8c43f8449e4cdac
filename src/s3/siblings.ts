// Gateways behind one address: a client whose connections end at different ones must find at each what it changed
// at another. Objects are never remembered, so that only what is must be told of: buckets and their configuration,
// and the directory of users. Gateways elsewhere learn of it by themselves, within two seconds.

import type { Cluster } from '../client/cluster.ts';
import { type Clock, sleep } from '../env/clock.ts';

/** Plain values: they travel between processes. */
export type SiblingNews =
  | { readonly kind: 'bucket'; readonly name: string }
  | { readonly kind: 'directory'; readonly revision: number };

/**
 * Resolves when every other gateway behind the same address acts on the news, or can't be reached within a second: one
 * that is frozen answers nobody, and finds out by itself. Never rejects.
 */
export type TellSiblings = (news: SiblingNews) => Promise<void>;

/** For gateways that have an address of their own. */
export const noSiblings: TellSiblings = async () => {};

/** A directory that does not come within this is told of by nobody: the monitor is away. */
const directoryMsMax = 1000;
const directoryPollMs = 5;

interface SiblingParts {
  readonly clock: Clock;
  readonly cluster: Cluster;
  /** Forgets what is remembered of the bucket. */
  readonly dropBucket: (name: string) => void;
}

/** What a gateway does about a sibling's news; done when it acts on them. */
export async function hearSibling(
  news: SiblingNews,
  { clock, cluster, dropBucket }: SiblingParts,
): Promise<void> {
  if (news.kind === 'bucket') return dropBucket(news.name);
  const deadline = clock.now() + directoryMsMax;
  while (cluster.directory().revision < news.revision && clock.now() < deadline)
    await sleep(clock, directoryPollMs, 's3-await-directory');
}
