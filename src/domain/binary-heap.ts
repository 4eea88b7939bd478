// A binary heap that knows the position of each value, so any value can be removed.

export type BinaryHeap<T extends object> = ReturnType<typeof createBinaryHeap<T>>;

/** @param isBefore must be a total order, in which no two values are equal */
export function createBinaryHeap<T extends object>(isBefore: (a: T, b: T) => boolean) {
  const values: T[] = [];
  const places = new Map<T, number>();

  function put(value: T, place: number): void {
    values[place] = value;
    places.set(value, place);
  }

  function rise(value: T, from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = values[above];
      if (parent === undefined || !isBefore(value, parent)) break;
      put(parent, place);
      place = above;
    }
    put(value, place);
  }

  function sink(value: T, from: number): void {
    let place = from;
    for (;;) {
      const left = 2 * place + 1;
      const [one, other] = [values[left], values[left + 1]];
      if (one === undefined) break;
      const isOther = other !== undefined && isBefore(other, one);
      const child = isOther ? other : one;
      if (!isBefore(child, value)) break;
      put(child, place);
      place = isOther ? left + 1 : left;
    }
    put(value, place);
  }

  return {
    get size(): number {
      return values.length;
    },
    first: (): T | undefined => values[0],
    /**
     * Returns the first value, in the order of the heap, that passes the test. Once a value has passed, skips all
     * values that come after it.
     */
    firstThat(passes: (value: T) => boolean): T | undefined {
      let best: T | undefined;
      const look = (place: number): void => {
        const value = values[place];
        if (value === undefined || (best !== undefined && isBefore(best, value))) return;
        if (passes(value)) {
          best = value;
          return;
        }
        look(2 * place + 1);
        look(2 * place + 2);
      };
      look(0);
      return best;
    },
    add(value: T): void {
      rise(value, values.length);
    },
    /**
     * Returns false if the value is not in the heap. The order of the other values must not have changed since they
     * were added.
     */
    remove(value: T): boolean {
      const place = places.get(value);
      if (place === undefined) return false;
      places.delete(value);
      const last = values.pop();
      if (last === undefined || last === value) return true;
      rise(last, place);
      if (values[place] === last) sink(last, place);
      return true;
    },
  };
}
