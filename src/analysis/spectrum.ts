/** What the singular values of a matrix say about its rank. */
export interface Spectrum {
  /** Largest first. */
  readonly singularValues: readonly number[];
  readonly frobeniusNorm: number;
  /** exp of the entropy of the singular values, divided by their sum (Roy and Vetterli 2007): 1 to the rank. */
  readonly effectiveRank: number;
  /** Squared Frobenius norm by the squared largest singular value. */
  readonly stableRank: number;
}

const squares = (values: readonly number[]): number => values.reduce((sum, value) => sum + value * value, 0);

/** A matrix of zeros has the norm and the ranks 0. */
export function spectrumOf(singularValues: readonly number[]): Spectrum {
  const sum = singularValues.reduce((total, value) => total + value, 0);
  const shares = singularValues.map((value) => value / sum).filter((share) => share > 0);
  const entropy = -shares.reduce((total, share) => total + share * Math.log(share), 0);
  const square = squares(singularValues);
  return {
    singularValues,
    frobeniusNorm: Math.sqrt(square),
    effectiveRank: sum > 0 ? Math.exp(entropy) : 0,
    stableRank: square > 0 ? square / (singularValues[0] as number) ** 2 : 0,
  };
}

/** The smallest rank whose best approximation keeps a share of the Frobenius norm; 0 for a matrix of zeros. */
export function rankThatKeeps(share: number, singularValues: readonly number[]): number {
  const whole = squares(singularValues);
  if (whole === 0) return 0;
  let kept = 0;
  for (const [index, value] of singularValues.entries()) {
    kept += value * value;
    if (Math.sqrt(kept / whole) >= share) return index + 1;
  }
  return singularValues.length;
}
