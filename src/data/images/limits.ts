/** Pillow's: a picture of more pixels is taken for an attack on memory (twice its MAX_IMAGE_PIXELS). */
export const MAX_PIXELS = 178_956_970;

/** Refuses sizes that no picture has before memory is taken for them. @throws Error naming the size */
export function requirePixels(width: number, height: number): void {
  if (width < 1 || height < 1) throw new Error(`its header claims ${width} x ${height} pixels`);
  if (width * height <= MAX_PIXELS) return;
  throw new Error(`its header claims ${width} x ${height} pixels, and at most ${MAX_PIXELS} are read`);
}
