/** A merge that may be made: of two neighbours, the left one at `position`. */
export interface Merge {
  readonly rank: number;
  readonly position: number;
  readonly id: number;
}

const before = (a: Merge, b: Merge) => a.rank < b.rank || (a.rank === b.rank && a.position < b.position);

/** Merges by rank, then from left to right: a binary heap, so that texts without words are no burden. */
export class MergeQueue {
  private readonly heap: Merge[] = [];

  push(merge: Merge): void {
    const { heap } = this;
    let i = heap.length;
    heap.push(merge);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(merge, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = merge;
  }

  pop(): Merge | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}
