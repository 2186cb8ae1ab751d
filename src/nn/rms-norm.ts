import { rmsNorm, type Tensor } from "../graph/index.js";
import { ones } from "./init.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import type { Trace } from "./trace.js";

/** Division by the root mean square of the last axis (Zhang and Sennrich 2019). weight: [features]. */
export class RMSNorm extends Module {
  readonly weight: Parameter;

  constructor(
    features: number,
    readonly epsilon: number,
  ) {
    super();
    this.weight = this.parameter("weight", new Parameter([features], { initializer: ones }));
  }

  /** x: [..., features]; returns the same shape. */
  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => rmsNorm(x, trace.parameter(this.weight), this.epsilon));
  }
}
