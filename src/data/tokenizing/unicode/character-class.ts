/** A set of Unicode code points, tested by binary search over its ranges. */
export class CharacterClass {
  private readonly firsts: Uint32Array;
  private readonly lasts: Uint32Array;

  /** @param encoded base-36 pairs as in unicode-tables.ts: gap since the end of the last range, then length - 1. */
  constructor(encoded: string) {
    const numbers = encoded.split(" ").map((digits) => Number.parseInt(digits, 36));
    this.firsts = new Uint32Array(numbers.length / 2);
    this.lasts = new Uint32Array(numbers.length / 2);
    let last = 0;
    for (let i = 0; i < this.firsts.length; i++) {
      const first = last + numbers[2 * i]!;
      last = first + numbers[2 * i + 1]!;
      this.firsts[i] = first;
      this.lasts[i] = last;
    }
  }

  has(codePoint: number): boolean {
    let low = 0;
    let high = this.firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.lasts[middle]! < codePoint) low = middle + 1;
      else high = middle;
    }
    return low < this.firsts.length && this.firsts[low]! <= codePoint;
  }
}
