/** Ranges of code points [first, last, first, last, ...], sorted and apart from each other. */
export type CodePointRanges = readonly number[];

/** Reads base-36 pairs as in tables.ts: gap since the end of the last range, then length - 1. */
export function decodeRanges(encoded: string): number[] {
  const ranges: number[] = [];
  let last = 0;
  const numbers = encoded.split(" ").map((digits) => Number.parseInt(digits, 36));
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    const first = last + numbers[i]!;
    last = first + numbers[i + 1]!;
    ranges.push(first, last);
  }
  return ranges;
}

/** Reads base-36 triples (gap, length - 1, place of the name) into ranges by name. */
export function decodePartition({ names, ranges }: { names: string; ranges: string }): Map<string, number[]> {
  const keys = names.split(" ");
  const parts = new Map(keys.map((name) => [name, [] as number[]]));
  const numbers = ranges.split(" ").map((digits) => Number.parseInt(digits, 36));
  let last = 0;
  for (let i = 0; i + 2 < numbers.length; i += 3) {
    const first = last + numbers[i]!;
    last = first + numbers[i + 1]!;
    parts.get(keys[numbers[i + 2]!]!)!.push(first, last);
  }
  return parts;
}

/** A set of Unicode code points: a bitmap for the first 64k, binary search above. */
export class CharacterClass {
  private readonly low = new Uint8Array(0x2000);
  private readonly high: CodePointRanges;

  constructor(ranges: CodePointRanges) {
    const high: number[] = [];
    for (let i = 0; i < ranges.length; i += 2) {
      const first = ranges[i]!;
      const last = ranges[i + 1]!;
      for (let c = first; c <= Math.min(last, 0xffff); c++) this.low[c >> 3]! |= 1 << (c & 7);
      if (last > 0xffff) high.push(Math.max(first, 0x10000), last);
    }
    this.high = high;
  }

  has(codePoint: number): boolean {
    if (codePoint < 0x10000) return (this.low[codePoint >> 3]! & (1 << (codePoint & 7))) !== 0;
    let from = 0;
    let to = this.high.length / 2;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.high[2 * middle + 1]! < codePoint) from = middle + 1;
      else to = middle;
    }
    return 2 * from < this.high.length && this.high[2 * from]! <= codePoint;
  }
}
