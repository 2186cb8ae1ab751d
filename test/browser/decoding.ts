import { loadImage } from "graft-peft";

export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: readonly number[];
}

/** A picture's RGB pixels, as plain numbers that leave the page. */
export async function pixelsOf(source: string): Promise<Pixels> {
  const { width, height, data } = await loadImage(source);
  return { width, height, data: [...data] };
}
