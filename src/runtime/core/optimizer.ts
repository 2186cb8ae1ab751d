import { GraftError } from "../../errors.js";
import {
  clipCoefficient,
  globalNorm,
  type OptimizerName,
  type OptimizerSettings,
  optimizers,
} from "../../optim/index.js";
import type { TensorData } from "../../tensor-data.js";
import { copyTensors } from "../copy-tensor.js";
import type { OptimizedParameter, OptimizerState } from "../protocol.js";
import type { GradientAccumulators } from "./accumulators.js";
import type { ResidentTensors } from "./residents.js";

type F32 = TensorData<"float32">;

/** An optimiser over resident tensors, inside the worker. */
export class OptimizerCore<K extends OptimizerName = OptimizerName> {
  private step = 0;
  private readonly slotNames: readonly string[];
  /** One array per parameter and slot, made when the parameter first takes a step; keyed `parameter.slot`. */
  private readonly slots = new Map<string, F32>();

  constructor(
    private readonly name: K,
    private readonly settings: OptimizerSettings[K],
    private readonly parameters: readonly OptimizedParameter[],
    private readonly residents: ResidentTensors,
    private readonly accumulators: GradientAccumulators,
  ) {
    const definition = optimizers[name];
    definition.validate(settings);
    this.slotNames = definition.slots(settings);
    for (const parameter of parameters) {
      const { dtype } = residents.get(parameter.name);
      if (dtype === "float32") continue;
      throw new GraftError(
        "dtype-mismatch",
        `parameter "${parameter.name}" is ${dtype}`,
        "Trained tensors are float32: convert it before setResident.",
      );
    }
  }

  /** One update of every parameter that has a gradient. Nothing changes when a number is not finite. */
  takeStep(learningRate: number, maxGradNorm: number): { gradNorm: number } {
    const due = this.parameters.flatMap((parameter) => {
      const gradient = this.accumulators.get(parameter.name);
      return gradient === undefined ? [] : [{ parameter, gradient: gradient.data }];
    });
    if (due.length === 0) {
      throw new GraftError("invalid-argument", "there is no gradient to step on", "Call program.accumulate first.");
    }
    const gradNorm = globalNorm(due.map(({ gradient }) => gradient));
    this.requireFinite(gradNorm);
    const gradientScale = clipCoefficient(gradNorm, maxGradNorm);
    const updates = due.map(({ parameter, gradient }) => {
      const tensor = this.residents.get(parameter.name) as F32;
      if (tensor.data.length !== gradient.length) throw replacedError(parameter.name);
      return { parameter, gradient, tensor, slots: this.slotsOf(parameter.name, tensor) };
    });
    this.step++;
    for (const { parameter, gradient, tensor, slots } of updates) {
      const scalars = {
        step: this.step,
        learningRate: learningRate * (parameter.learningRateScale ?? 1),
        weightDecay: parameter.weightDecay,
        gradientScale,
      };
      optimizers[this.name].update(tensor.data, gradient, slots, scalars, this.settings);
    }
    this.zeroGrad();
    return { gradNorm };
  }

  get parameterNames(): string[] {
    return this.parameters.map(({ name }) => name);
  }

  zeroGrad(): void {
    this.accumulators.clear(this.parameterNames);
  }

  /** A copy of the state, for checkpoints. */
  state(): OptimizerState {
    return { optimizer: this.name, step: this.step, tensors: copyTensors(Object.fromEntries(this.slots)) };
  }

  /** @throws GraftError `invalid-argument` or `shape-mismatch` for a state of another optimiser or other parameters. */
  loadState(state: OptimizerState): void {
    const loaded = new Map<string, F32>();
    if (state.optimizer !== this.name) throw stateError(`it belongs to "${state.optimizer}", not to "${this.name}"`);
    for (const { name } of this.parameters) {
      const { shape } = this.residents.get(name);
      for (const slot of this.slotNames) {
        const key = `${name}.${slot}`;
        const tensor = state.tensors[key];
        // A parameter that never had a gradient has no slots yet.
        if (tensor === undefined) continue;
        if (tensor.dtype !== "float32" || tensor.shape.join() !== shape.join()) {
          throw stateError(`"${key}" is ${tensor.dtype} [${tensor.shape}] instead of float32 [${shape}]`);
        }
        loaded.set(key, tensor);
      }
    }
    const foreign = Object.keys(state.tensors).filter((key) => !loaded.has(key));
    if (foreign.length > 0) throw stateError(`no parameter here owns ${foreign.slice(0, 3).join(", ")}`);
    this.slots.clear();
    for (const [key, tensor] of loaded) this.slots.set(key, tensor);
    this.step = state.step;
  }

  private slotsOf(name: string, { shape, data }: F32): Float32Array[] {
    return this.slotNames.map((slot) => {
      const key = `${name}.${slot}`;
      let tensor = this.slots.get(key);
      if (tensor === undefined) {
        tensor = { dtype: "float32", shape, data: new Float32Array(data.length) };
        this.slots.set(key, tensor);
      }
      if (tensor.data.length !== data.length) throw replacedError(name);
      return tensor.data;
    });
  }

  private requireFinite(norm: number): void {
    const loss = this.accumulators.nonFiniteLoss;
    if (Number.isFinite(norm) && loss === undefined) return;
    throw new GraftError(
      "not-finite",
      loss === undefined ? `the gradient norm is ${norm}` : `the loss is ${loss}`,
      "The parameters were left as they are. Lower the learning rate, turn on gradient clipping, or look for broken inputs.",
    );
  }
}

function replacedError(name: string): GraftError {
  return new GraftError(
    "shape-mismatch",
    `resident tensor "${name}" was replaced by one of another size after its optimiser was made`,
    "Make a new optimiser for the new tensor.",
  );
}

function stateError(reason: string): GraftError {
  return new GraftError(
    "invalid-argument",
    `the optimiser state does not fit: ${reason}`,
    "Load the state of a run with the same optimiser and the same trained parameters.",
  );
}
