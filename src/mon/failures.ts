// Who is to be called down: reports of peers, weighed. A refused connection or six seconds of silence,
// told by reporters of two failure domains, or by one where the monitor itself has heard nothing for as long
// (DESIGN section 9): on one host, or two, there is only one that could tell. Being slow gets nobody here: a peer reports only what did not answer at all.

import type { OsdId } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';

/** Silence that a peer must have seen before its word counts, in milliseconds. */
export const silenceMs = 6000;

/**
 * A report that was not repeated for this long is forgotten, in milliseconds. Peers repeat theirs each second while they
 * have reason to: an older one tells of what was. It may be judged that late, for a monitor judges nobody in its first
 * seconds.
 */
const reportLifeMs = 3000;

interface Report {
  readonly domain: string;
  readonly at: Instant;
}

export class FailureReports {
  readonly #reports = new Map<OsdId, Map<OsdId, Report>>();

  add(report: { target: OsdId; reporter: OsdId; domain: string; at: Instant }): void {
    let reports = this.#reports.get(report.target);
    if (reports === undefined) {
      reports = new Map();
      this.#reports.set(report.target, reports);
    }
    reports.set(report.reporter, { domain: report.domain, at: report.at });
  }

  clear(target: OsdId): void {
    this.#reports.delete(target);
  }

  /**
   * Whether the target is to be marked down.
   *
   * @param lostTouch the monitor itself has no session with it, or hears nothing in it
   * @param otherDomains domains of other OSDs that are up: no more reporters than these can be asked for
   */
  isDown(
    target: OsdId,
    now: Instant,
    facts: { lostTouch: boolean; otherDomains: number },
  ): boolean {
    const reports = [...(this.#reports.get(target)?.values() ?? [])].filter(
      (each) => now - each.at <= reportLifeMs,
    );
    const domains = new Set(reports.map((each) => each.domain)).size;
    if (domains >= 2) return true;
    return facts.lostTouch && domains >= 1 && domains >= Math.min(1, facts.otherDomains);
  }
}
