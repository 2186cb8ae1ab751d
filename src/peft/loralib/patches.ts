/** How a square kernel goes over a picture. */
export interface Sliding {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

/** Places along an axis of some size; below 1 where the kernel does not fit. */
export function placesAlong(size: number, { kernelSize, stride, padding, dilation }: Sliding): number {
  return Math.floor((size + 2 * padding - dilation * (kernelSize - 1) - 1) / stride) + 1;
}

/**
 * What a kernel sees at each place, zeros beyond the border.
 * @param data [batch, channels, height, width]
 * @returns [batch, places down * places across, channels * kernelSize * kernelSize]
 */
export function patchesOf(
  data: Float32Array,
  [batch, channels, height, width]: readonly [number, number, number, number],
  sliding: Sliding,
): Float32Array {
  const { kernelSize: k, stride, padding, dilation } = sliding;
  const [down, across] = [placesAlong(height, sliding), placesAlong(width, sliding)];
  const patches = new Float32Array(batch * down * across * channels * k * k);
  let at = 0;
  for (let image = 0; image < batch; image++) {
    for (let place = 0; place < down * across; place++) {
      const top = Math.floor(place / across) * stride - padding;
      const left = (place % across) * stride - padding;
      for (let channel = 0; channel < channels; channel++) {
        const plane = (image * channels + channel) * height;
        for (let cell = 0; cell < k * k; cell++, at++) {
          const row = top + Math.floor(cell / k) * dilation;
          const column = left + (cell % k) * dilation;
          const isInside = row >= 0 && row < height && column >= 0 && column < width;
          if (isInside) patches[at] = data[(plane + row) * width + column] as number;
        }
      }
    }
  }
  return patches;
}
