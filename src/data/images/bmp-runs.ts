import type { BmpHeader } from "./bmp-header.js";

/** After a 0: what is no run. Larger values count pixels that follow as they are. */
const escapes = { endOfLine: 0, endOfPicture: 1, jump: 2 } as const;

/** Fills the indices of a picture from its first row on; Pillow's decoder, its treatment of odd files included. */
class Runs {
  readonly out: Uint8Array;
  private done = 0;
  private x = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly header: BmpHeader,
    private at = header.offset,
  ) {
    this.out = new Uint8Array(header.width * header.height);
  }

  fill(): boolean {
    while (this.done < this.out.length && this.at + 2 <= this.bytes.length) {
      const count = this.bytes[this.at++]!;
      const value = this.bytes[this.at++]!;
      const goesOn = count > 0 ? this.run(count, value) : this.escape(value);
      if (!goesOn) break;
    }
    return this.done >= this.out.length;
  }

  private put(index: number): void {
    if (this.done < this.out.length) this.out[this.done++] = index;
  }

  private run(count: number, value: number): boolean {
    const within = Math.min(count, Math.max(0, this.header.width - this.x));
    const pair = this.header.bits === 4 ? [value >> 4, value & 15] : [value, value];
    for (let i = 0; i < within; i++) this.put(pair[i & 1]!);
    this.x += within;
    return true;
  }

  private escape(value: number): boolean {
    const { width } = this.header;
    if (value === escapes.endOfPicture) return false;
    if (value === escapes.endOfLine) {
      this.done = Math.min(this.out.length, Math.ceil(this.done / width) * width);
      this.x = 0;
      return true;
    }
    if (value !== escapes.jump) return this.asTheyAre(value);
    if (this.at + 2 > this.bytes.length) return false;
    this.done = Math.min(this.out.length, this.done + this.bytes[this.at]! + this.bytes[this.at + 1]! * width);
    this.at += 2;
    this.x = this.done % width;
    return true;
  }

  private asTheyAre(value: number): boolean {
    const count = Math.min(this.out.length - this.done, value);
    const isHalf = this.header.bits === 4;
    const size = isHalf ? Math.ceil(count / 2) : count;
    if (this.at + size > this.bytes.length) return false;
    for (let i = 0; i < count; i++) {
      const byte = this.bytes[this.at + (isHalf ? i >> 1 : i)]!;
      this.put(!isHalf ? byte : i % 2 === 0 ? byte >> 4 : byte & 15);
    }
    this.at += size;
    this.x += value;
    // Stretches end at even places of the file.
    this.at += this.at % 2;
    return true;
  }
}

/** The palette indices of a run-length BMP in the file's order of rows. @throws Error where they end too early */
export function decodeRuns(bytes: Uint8Array, header: BmpHeader): Uint8Array {
  const runs = new Runs(bytes, header);
  if (!runs.fill()) throw new Error("it is cut off: its runs end before the picture does");
  return runs.out;
}
