import { GraftError } from "../../errors.js";
import {
  clipCoefficient,
  globalNorm,
  type OptimizerName,
  type OptimizerSettings,
  optimizers,
  requireRange,
  type UpdateScalars,
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
  /** One array per parameter and slot, keyed `parameter.slot`. */
  private slots: Map<string, F32>;

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
    for (const { name: parameter, weightDecay, learningRateScale = 1 } of parameters) {
      requireFactor(`weightDecay of "${parameter}"`, weightDecay);
      requireFactor(`learningRateScale of "${parameter}"`, learningRateScale);
      const { dtype } = residents.get(parameter);
      if (dtype === "float32") continue;
      throw new GraftError(
        "dtype-mismatch",
        `parameter "${parameter}" is ${dtype}`,
        "Trained tensors are float32: convert it before setResident.",
      );
    }
    this.slots = this.emptySlots();
  }

  /**
   * One update of every parameter that has a gradient. Nothing changes when a number is not finite.
   * @param keepGradients leave the sums, clipped as the update took them; otherwise they are cleared
   */
  takeStep(learningRate: number, maxGradNorm: number, keepGradients: boolean): { gradNorm: number } {
    requireFactor("learningRate", learningRate);
    requireFactor("maxGradNorm", maxGradNorm);
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
        ...this.factorOf(parameter),
      };
      optimizers[this.name].update(tensor.data, gradient, slots, scalars, this.settings);
    }
    if (keepGradients) this.accumulators.scale(this.parameterNames, gradientScale);
    else this.zeroGrad();
    return { gradNorm };
  }

  /** The factor that a parameter is multiplied with. */
  private factorOf({ factor }: OptimizedParameter): Pick<UpdateScalars, "factor"> {
    if (factor === undefined) return {};
    const { shape, data } = this.residents.get(factor.partner) as F32;
    return { factor: { partner: data, rank: shape[0] ?? 1, scaling: factor.scaling } };
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

  /** @throws GraftError `invalid-argument` for a state of another optimiser, of other parameters, or of some alone. */
  loadState({ optimizer, step, tensors }: OptimizerState): void {
    if (optimizer !== this.name) throw stateError(`it belongs to "${optimizer}", not to "${this.name}"`);
    if (!Number.isSafeInteger(step) || step < 0) throw stateError(`its step is ${step}, not a count of updates`);
    const slots = this.emptySlots();
    const foreign = Object.keys(tensors).filter((key) => !slots.has(key));
    if (foreign.length > 0) throw stateError(`no parameter here owns ${foreign.slice(0, 3).join(", ")}`);
    const isFresh = step === 0 && Object.keys(tensors).length === 0;
    const missing = isFresh ? [] : [...slots.keys()].filter((key) => tensors[key] === undefined);
    if (missing.length > 0) throw stateError(`at step ${step} it lacks ${missing.slice(0, 3).join(", ")}`);
    for (const [key, tensor] of Object.entries(tensors)) {
      const { shape } = slots.get(key) as F32;
      if (tensor.dtype !== "float32" || tensor.shape.join() !== shape.join()) {
        throw stateError(`"${key}" is ${tensor.dtype} [${tensor.shape}] instead of float32 [${shape}]`);
      }
      slots.set(key, tensor);
    }
    this.slots = slots;
    this.step = step;
  }

  private emptySlots(): Map<string, F32> {
    const slots = new Map<string, F32>();
    for (const { name } of this.parameters) {
      const { shape, data } = this.residents.get(name);
      for (const slot of this.slotNames) {
        slots.set(`${name}.${slot}`, { dtype: "float32", shape, data: new Float32Array(data.length) });
      }
    }
    return slots;
  }

  private slotsOf(name: string, { data }: F32): Float32Array[] {
    return this.slotNames.map((slot) => {
      const tensor = this.slots.get(`${name}.${slot}`) as F32;
      if (tensor.data.length !== data.length) throw replacedError(name);
      return tensor.data;
    });
  }

  private requireFinite(norm: number): void {
    const loss = this.accumulators.nonFiniteLoss(this.parameterNames);
    if (Number.isFinite(norm) && loss === undefined) return;
    throw new GraftError(
      "not-finite",
      loss === undefined ? `the gradient norm is ${norm}` : `the loss is ${loss}`,
      "The parameters were left as they are. Lower the learning rate, turn on gradient clipping, or look for broken inputs.",
    );
  }
}

function requireFactor(setting: string, value: number): void {
  requireRange(Number.isFinite(value) && value >= 0, setting, value, "a finite number, zero or more");
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
