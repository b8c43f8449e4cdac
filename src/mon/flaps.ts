// A disk that goes down again and again takes part again only after a while, longer each time: each return
// costs everybody a round of catching up (DESIGN section 9).

import type { OsdId } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';

/** What happened longer ago is forgotten, in milliseconds. */
const memoryMs = 600_000;

/** So many times in `memoryMs` nothing is thought of it: a restart or two, a power cut. */
const freeDowns = 3;

/** After the first too many; doubled with each further one. */
const firstWaitMs = 5000;
const waitMsMax = 120_000;

export class FlapDamper {
  readonly #downs = new Map<OsdId, Instant[]>();

  wentDown(osd: OsdId, now: Instant): void {
    this.#downs.set(osd, [...this.#recent(osd, now), now]);
  }

  #recent(osd: OsdId, now: Instant): Instant[] {
    return (this.#downs.get(osd) ?? []).filter((at) => now - at <= memoryMs);
  }

  /** Before this it should not be called up; undefined: at once. */
  mayReturnAt(osd: OsdId, now: Instant): Instant | undefined {
    const downs = this.#recent(osd, now);
    const last = downs.at(-1);
    const excess = downs.length - freeDowns;
    if (last === undefined || excess <= 0) return undefined;
    const until = (last + Math.min(waitMsMax, firstWaitMs * 2 ** (excess - 1))) as Instant;
    return until > now ? until : undefined;
  }

  downCount(osd: OsdId, now: Instant): number {
    return this.#recent(osd, now).length;
  }
}
