// Where mutable objects are. While a pool's are handed over to the placement groups of another layout
// (osd/handover.ts), the oldest layout is asked first, and says what is another's by now.
//
// One request stays where it was asked first until it is told that it was not carried out there: only then may another
// layout carry it out.

import type { PgId } from '../base/ids.ts';
import { activeLayout, findPool, homeLayout, type Pool, pgOfName } from '../map/cluster-map.ts';
import type { MonLink } from '../net/mon-link.ts';
import { ClientError } from './errors.ts';

/** Names that are known to be elsewhere than where one asks first. */
const namesMax = 10_000;

interface Place {
  readonly layout: number;
  /** In which it was sent there; 0: it was not. */
  readonly turn: number;
}

export class Places {
  readonly #mon: Pick<MonLink, 'map'>;
  /** Of pools as they were in a turn with these layouts. */
  readonly #known = new Map<string, Place>();

  constructor(mon: Pick<MonLink, 'map'>) {
    this.#mon = mon;
  }

  /** The way of one request. */
  route(pool: string, object: string): Route {
    return new Route(this, pool, object);
  }

  /** Undefined: there is no map yet. Throws `ClientError` `no-such-pool`. */
  poolOf(name: string): Pool | undefined {
    const { map } = this.#mon;
    if (map === undefined) return undefined;
    const pool = findPool(map, name);
    if (pool === undefined) throw new ClientError('no-such-pool', `no pool ${name}`);
    return pool;
  }

  /** Where to ask first. */
  first(pool: Pool, object: string): Place {
    if (pool.turn === 0) return { layout: activeLayout(pool).id, turn: 0 };
    if (pool.layouts.length === 1) return { layout: activeLayout(pool).id, turn: pool.turn };
    return (
      this.#known.get(nameOf(pool, object)) ?? {
        layout: homeLayout(pool).id,
        turn: pool.settledTurn,
      }
    );
  }

  learn(pool: Pool, object: string, place: Place): void {
    if (this.#known.size >= namesMax) this.#known.clear();
    this.#known.set(nameOf(pool, object), place);
  }
}

/** As long as nothing has turned: then it is found out anew. */
function nameOf(pool: Pool, object: string): string {
  return `${pool.id} ${pool.turn} ${pool.layouts.length} ${object}`;
}

/** Told of what one request comes to. */
export interface Attempts {
  /** It is on its way: from here on it may have been carried out. */
  sent(): void;
  /** The last one was not. */
  notDone(): void;
}

export class Route implements Attempts {
  readonly #places: Places;
  readonly #pool: string;
  readonly #object: string;
  #place: Place | undefined;
  /** It was told to look elsewhere than in this layout, since this turn. */
  #from: Place | undefined;
  /** Attempts that may have been carried out where it is asked now. */
  #open = 0;

  constructor(places: Places, pool: string, object: string) {
    this.#places = places;
    this.#pool = pool;
    this.#object = object;
  }

  /** The turn in which it was sent to `pg`; 0: it was not. */
  get turn(): number {
    return this.#place?.turn ?? this.#from?.turn ?? 0;
  }

  /**
   * Where to ask now; undefined: a newer map has to come. Throws `ClientError` `unavailable` when what it was asked is not
   * there to be asked any more, so that nobody knows whether it was done.
   */
  pg(): PgId | undefined {
    const pool = this.#places.poolOf(this.#pool);
    if (pool === undefined) return undefined;
    if (this.#open === 0 || this.#place === undefined) this.#place = this.#choose(pool);
    if (this.#place === undefined) return undefined;
    const { layout: id } = this.#place;
    const layout = pool.layouts.find((each) => each.id === id);
    if (layout !== undefined) return pgOfName(pool.id, layout, this.#object);
    throw new ClientError(
      'unavailable',
      `layout ${pool.id}.${id} went while it was asked for ${this.#object}`,
    );
  }

  #choose(pool: Pool): Place | undefined {
    const from = this.#from;
    if (from === undefined) return this.#places.first(pool, this.#object);
    const others = pool.layouts.filter(({ id }) => id !== from.layout);
    const other = others.length === 0 ? undefined : homeLayout({ ...pool, layouts: others });
    if (pool.turn < from.turn) return undefined;
    // It came back: nothing of this request has been elsewhere.
    if (other === undefined) return this.#places.first(pool, this.#object);
    const place = { layout: other.id, turn: from.turn };
    if (pool.layouts.length > 1) this.#places.learn(pool, this.#object, place);
    return place;
  }

  sent(): void {
    this.#open++;
  }

  notDone(): void {
    this.#open--;
  }

  /** It was not carried out where it was asked, and is not going to be. */
  movedIn(turn: number): void {
    this.#from = { layout: this.#place?.layout ?? 0, turn };
    this.#place = undefined;
    this.#open = 0;
  }
}
