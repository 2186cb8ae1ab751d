import { GraftError } from "../errors.js";
import type { TensorData } from "../tensor-data.js";
import type { Binding } from "./definition.js";
import { packTensors } from "./pack.js";
import type { Program } from "./program.js";
import type { OptimizerState } from "./protocol.js";
import type { ScopeClient } from "./scope-client.js";

export interface StepOptions {
  readonly learningRate: number;
  /** Gradients of a larger global norm are scaled down to it. Default 0: no clipping. */
  readonly maxGradNorm?: number;
  /**
   * Programs that run in the worker between the update and the clearing of the gradients, one after the other. A slot
   * that is called or bound to `gradient:` and a resident's name is filled by its gradient sum, as the update took it
   * (clipped); other slots see the residents after the update. What the programs are for is their state.
   */
  readonly after?: readonly AfterStep[];
}

export interface AfterStep {
  /** Of the optimiser's scope. */
  readonly program: Program;
  readonly bind?: Binding;
  readonly inputs?: Readonly<Record<string, TensorData>>;
}

/** An optimiser in the worker. */
export class OptimizerHandle {
  /** @internal Made by `EngineScope.createOptimizer`. */
  constructor(
    private readonly client: ScopeClient,
    private readonly id: number,
  ) {}

  /**
   * Clips, updates the resident tensors that have gradients, and clears their sums.
   * @returns the global norm before clipping.
   * @throws GraftError `not-finite` when the norm or a loss since the last step is not, `invalid-argument` for options
   * that are no finite numbers of zero or more, or without gradients, and what keeps a program from running after the
   * step; parameters, state and sums stay.
   */
  async step({ learningRate, maxGradNorm = 0, after = [] }: StepOptions): Promise<{ gradNorm: number }> {
    const requests = after.map(({ program, bind, inputs = {} }) => {
      if (program.client === this.client) return program.request(inputs, { bind });
      throw new GraftError(
        "invalid-argument",
        "a program that is to run after a step belongs to another scope",
        "Compile it in the optimiser's scope.",
      );
    });
    return this.client.call("step", { optimizer: this.id, learningRate, maxGradNorm, after: requests });
  }

  /** Clears the gradient sums of this optimiser's parameters. */
  async zeroGrad(): Promise<void> {
    await this.client.call("zeroGrad", { optimizer: this.id });
  }

  /** A copy of the state, for checkpoints. */
  state(): Promise<OptimizerState> {
    return this.client.call("optimizerState", { optimizer: this.id });
  }

  /**
   * Goes on from a state.
   * @throws GraftError `invalid-argument` for one of another optimiser, of other parameters or of some alone, or with a
   * step that is no count; the state then stays as it was.
   */
  async loadState(state: OptimizerState): Promise<void> {
    const tensors = packTensors(state.tensors) as OptimizerState["tensors"];
    await this.client.call("loadOptimizerState", { optimizer: this.id, state: { ...state, tensors } });
  }

  /**
   * Frees the state, and the gradient sums that no other optimiser trains on. The trained tensors stay. Once more, or
   * after its scope or engine: nothing happens.
   */
  async dispose(): Promise<void> {
    if (!this.client.hasEnded) await this.client.call("disposeOptimizer", { optimizer: this.id });
  }
}
