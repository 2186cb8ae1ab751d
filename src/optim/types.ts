/** What each optimiser is tuned by, besides learning rate and weight decay. */
export interface OptimizerSettings {
  adamw: {
    /** Decay rates of the running means of gradient and squared gradient. */
    readonly betas: readonly [number, number];
    /** Added to the denominator. */
    readonly epsilon: number;
  };
  /** AdamW for LoRA's B alone, its gradient preconditioned by the frozen A. */
  lorafa: {
    /** Decay rates of the running means of gradient and squared gradient. */
    readonly betas: readonly [number, number];
    /** Added to the denominator. */
    readonly epsilon: number;
  };
  sgd: {
    /** Share of the last update that is kept; 0 is plain gradient descent. */
    readonly momentum: number;
    /** Looks ahead along the momentum; needs momentum > 0. */
    readonly nesterov: boolean;
  };
}

export type OptimizerName = keyof OptimizerSettings;

/** The numbers of one update of one parameter. */
export interface UpdateScalars {
  /** Counts from 1. */
  readonly step: number;
  readonly learningRate: number;
  /** Decoupled for AdamW, added to the gradient for SGD. */
  readonly weightDecay: number;
  /** Every gradient element is multiplied by this first: clipping without a pass of its own. */
  readonly gradientScale: number;
  /** The frozen factor A [rank, ...] whose product with the parameter [..., rank] is trained, and its scale. */
  readonly factor?: { readonly partner: Float32Array; readonly rank: number; readonly scaling: number };
}

/** One optimiser: pure loops over f32 arrays. */
export interface OptimizerDefinition<K extends OptimizerName> {
  readonly defaults: OptimizerSettings[K];
  /** Names of the f32 arrays, as long as the parameter and zero at first, that the optimiser keeps for it. */
  slots(settings: OptimizerSettings[K]): readonly string[];
  /** @throws GraftError `invalid-argument` for settings out of range. */
  validate(settings: OptimizerSettings[K]): void;
  /** Changes the parameter and its slots in place. */
  update(
    parameter: Float32Array,
    gradient: Float32Array,
    slots: readonly Float32Array[],
    scalars: UpdateScalars,
    settings: OptimizerSettings[K],
  ): void;
}
