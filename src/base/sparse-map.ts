// A map of which there are thousands, nearly all of them empty: an empty `Map` takes some 200 bytes, this takes 24.

const none: ReadonlyMap<never, never> = new Map<never, never>();

export class SparseMap<K, V> {
  #map: Map<K, V> | undefined;

  get size(): number {
    return this.#map?.size ?? 0;
  }

  get(key: K): V | undefined {
    return this.#map?.get(key);
  }

  has(key: K): boolean {
    return this.#map?.has(key) === true;
  }

  set(key: K, value: V): void {
    this.#map ??= new Map();
    this.#map.set(key, value);
  }

  delete(key: K): void {
    this.#map?.delete(key);
    if (this.#map?.size === 0) this.#map = undefined;
  }

  clear(): void {
    this.#map = undefined;
  }

  keys(): MapIterator<K> {
    return this.#all.keys();
  }

  values(): MapIterator<V> {
    return this.#all.values();
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.#all[Symbol.iterator]();
  }

  get #all(): ReadonlyMap<K, V> {
    return this.#map ?? (none as ReadonlyMap<K, V>);
  }
}
