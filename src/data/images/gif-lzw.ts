const LARGEST_CODE = 12;

/** The bits of GIF's sub-blocks, the lowest first. */
class BlockBits {
  private left: number;
  private held = 0;
  private count = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
  ) {
    this.left = bytes[at++] ?? 0;
    this.at = at;
  }

  /** The next code; undefined at the end of the blocks. */
  next(size: number): number | undefined {
    while (this.count < size) {
      if (this.left === 0) return undefined;
      this.held |= this.bytes[this.at++]! << this.count;
      this.count += 8;
      if (--this.left === 0) this.left = this.bytes[this.at++] ?? 0;
    }
    const code = this.held & ((1 << size) - 1);
    this.held >>>= size;
    this.count -= size;
    return code;
  }
}

/**
 * How many pixels a frame's LZW codes make, without making them: decoders leave what is missing as it is.
 * @param start the byte that names the code size
 * @param wanted where counting may stop
 */
export function lzwPixels(bytes: Uint8Array, start: number, wanted: number): number {
  const bits = bytes[start]!;
  if (bits < 1 || bits >= LARGEST_CODE) return 0;
  const clear = 1 << bits;
  const lengths = new Uint32Array(1 << LARGEST_CODE).fill(1, 0, clear);
  const codes = new BlockBits(bytes, start + 1);
  let size = bits + 1;
  let free = clear + 2;
  let last = 0;
  let pixels = 0;
  while (pixels < wanted) {
    const code = codes.next(size);
    if (code === undefined || code === clear + 1) break;
    if (code === clear) {
      [size, free, last] = [bits + 1, clear + 2, 0];
      continue;
    }
    if (code > free || (code === free && last === 0)) break;
    if (last > 0 && free < lengths.length) lengths[free++] = last + 1;
    last = lengths[code]!;
    pixels += last;
    if (free === 1 << size && size < LARGEST_CODE) size++;
  }
  return pixels;
}
