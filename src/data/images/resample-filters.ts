/** Pillow's resampling filters by its names, with the numbers that preprocessor_config.json uses. */
export type Resample = "nearest" | "lanczos" | "bilinear" | "bicubic" | "box" | "hamming";

/** PIL.Image.Resampling values. */
export const resampleByNumber: readonly Resample[] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

interface Filter {
  /** Half width at scale 1, in source pixels. */
  readonly support: number;
  weight(distance: number): number;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

function bicubic(distance: number): number {
  // Keys' cubic with a = -0.5.
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function hamming(distance: number): number {
  const x = Math.abs(distance);
  if (x === 0) return 1;
  return x >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI));
}

const filters: { readonly [R in Exclude<Resample, "nearest">]: Filter } = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Weights carry 22 fraction bits: 32 bits less 8 for the pixel and 2 for overshoot. */
export const PRECISION_BITS = 22;

/** For each output position: the first source position and `taps` fixed-point weights (0 beyond the last). */
export interface Coefficients {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly taps: number;
  readonly weights: Int32Array;
}

/**
 * The weights of one axis, as Pillow computes them: the filter widens with the shrink factor (antialiasing), weights at
 * the border are normalised over the pixels that exist, then rounded to fixed point.
 */
export function resampleCoefficients(source: number, target: number, resample: keyof typeof filters): Coefficients {
  const { support, weight } = filters[resample];
  const scale = source / target;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const taps = Math.ceil(reach) * 2 + 1;
  const starts = new Int32Array(target);
  const counts = new Int32Array(target);
  const weights = new Int32Array(target * taps);
  const exact = new Float64Array(taps);
  for (let i = 0; i < target; i++) {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const count = Math.min(source, Math.trunc(centre + reach + 0.5)) - first;
    let total = 0;
    for (let k = 0; k < count; k++) {
      exact[k] = weight((k + first - centre + 0.5) / stretch);
      total += exact[k]!;
    }
    for (let k = 0; k < count; k++) {
      const fixed = (total === 0 ? exact[k]! : exact[k]! / total) * (1 << PRECISION_BITS);
      weights[i * taps + k] = Math.trunc(fixed + (fixed < 0 ? -0.5 : 0.5));
    }
    starts[i] = first;
    counts[i] = count;
  }
  return { starts, counts, taps, weights };
}
