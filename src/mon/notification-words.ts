// What gateways have said of events on their way to topics: for people, kept in memory alone.

import type { Uuid } from '../base/ids.ts';
import type { Instant } from '../env/clock.ts';
import type { MessageOf } from '../wire/messages.ts';

/** As a gateway told it. */
export type NotificationWord = Omit<MessageOf<'report-notifications'>, 'kind'> & {
  readonly gateway: Uuid;
};

/** Gateways tell every ten seconds; who has not for so long is gone. */
const wordLifeMs = 60_000;

/** Gateways of a cluster are a few dozen. */
const wordsMax = 1000;

export class NotificationWords {
  readonly #words = new Map<Uuid, { readonly word: NotificationWord; readonly at: Instant }>();

  heard(word: NotificationWord, at: Instant): void {
    // The one that was heard longest ago makes room.
    this.#words.delete(word.gateway);
    this.#words.set(word.gateway, { word, at });
    for (const [gateway, heard] of this.#words)
      if (this.#words.size > wordsMax || at - heard.at > wordLifeMs) this.#words.delete(gateway);
      else break;
  }

  /** By gateway, in order. */
  known(now: Instant): readonly NotificationWord[] {
    return [...this.#words.values()]
      .filter(({ at }) => now - at <= wordLifeMs)
      .map(({ word }) => word)
      .sort((a, b) => (a.gateway < b.gateway ? -1 : 1));
  }
}
