import { abs, add, concat, mul, reduceMean, reshape, sub, type Tensor } from "../../../graph/index.js";
import { ones, type Parameter, type Trace, zeros } from "../../../nn/index.js";
import { type TensorData, toFloat32 } from "../../../tensor-data.js";
import type { AfterStep, Host, StepTensors } from "../../tuner.js";
import { budgetAt, type Schedule, thresholdOf } from "./budget.js";
import type { AdaLoraLayer } from "./layer.js";

/** What is kept of one parameter. */
interface Averages {
  readonly parameter: Parameter;
  /** Smoothed |w g|. */
  readonly importance: Parameter;
  /** Smoothed distance of |w g| from that. */
  readonly uncertainty: Parameter;
}

interface Kept {
  readonly layer: AdaLoraLayer;
  /** Of A, E and B. */
  readonly averages: readonly [Averages, Averages, Averages];
  /** [r]: 1 for a triplet that is left, 0 for one that was taken away. */
  readonly mask: Parameter;
}

/** The triplets that a mask leaves. */
const left = ({ source }: Parameter): boolean[] =>
  source.kind === "memory" ? Array.from(toFloat32(source.data), (value) => value !== 0) : [];

/**
 * PEFT's RankAllocator: after each update it scores every triplet by the importance of its elements, |w g| smoothed, times
 * how uncertain that is; on the schedule's steps it sets E to zero where the score is not among those of the budget.
 */
export class RankAllocator implements AfterStep {
  readonly state: readonly Parameter[];
  private readonly kept: readonly Kept[];
  /** One score for each triplet, layer after layer. */
  private readonly scores: Parameter;

  constructor(
    host: Host,
    layers: readonly AdaLoraLayer[],
    private readonly schedule: Schedule,
    private readonly betas: { readonly beta1: number; readonly beta2: number },
  ) {
    const make = (key: string, shape: readonly number[], initializer = zeros): Parameter => {
      const parameter = host.parameter(key, shape, { isSetting: true });
      const data = initializer(shape, undefined as never);
      parameter.setData({ dtype: "float32", shape, data });
      return parameter;
    };
    this.kept = layers.map((layer) => ({
      layer,
      averages: layer.keyed().map(([key, parameter]) => ({
        parameter,
        importance: make(`${key}.importance`, parameter.shape),
        uncertainty: make(`${key}.uncertainty`, parameter.shape),
      })) as [Averages, Averages, Averages],
      mask: make(`${layer.path}.rank_mask`, [layer.r], ones),
    }));
    const triplets = layers.reduce((sum, { r }) => sum + r, 0);
    this.scores = make("rank_scores", [triplets]);
    const averages = this.kept.flatMap((one) => one.averages);
    this.state = [
      ...averages.flatMap(({ importance, uncertainty }) => [importance, uncertainty]),
      ...this.kept.map(({ mask }) => mask),
      this.scores,
    ];
  }

  /** The triplets that are left, by layer; null before any was taken away. */
  get pattern(): ReadonlyMap<AdaLoraLayer, boolean[]> | null {
    const pattern = new Map(this.kept.map(({ layer, mask }) => [layer, left(mask)]));
    return [...pattern.values()].every((one) => one.every(Boolean)) ? null : pattern;
  }

  isDue(step: number): boolean {
    return step < this.schedule.totalStep - this.schedule.tfinal;
  }

  write(trace: Trace, gradient: (parameter: Parameter) => Tensor): ReadonlyMap<Parameter, Tensor> {
    const { beta1, beta2 } = this.betas;
    const next = new Map<Parameter, Tensor>();
    const smoothed = (beta: number, before: Tensor, now: Tensor): Tensor => add(mul(before, beta), mul(now, 1 - beta));
    const scored = ({ parameter, importance, uncertainty }: Averages): Tensor => {
      const now = abs(mul(trace.parameter(parameter), gradient(parameter)));
      const mean = smoothed(beta1, trace.parameter(importance), now);
      const doubt = smoothed(beta2, trace.parameter(uncertainty), abs(sub(now, mean)));
      next.set(importance, mean);
      next.set(uncertainty, doubt);
      return mul(mean, doubt);
    };
    const scores = this.kept.map(({ layer: { r }, averages }) => {
      const [a, e, b] = averages.map(scored) as [Tensor, Tensor, Tensor];
      return add(reshape(e, [r]), add(reduceMean(a, [1]), reduceMean(b, [0])));
    });
    next.set(this.scores, scores.length === 1 ? (scores[0] as Tensor) : concat(scores, 0));
    return next;
  }

  async finish(step: number, tensors: StepTensors): Promise<void> {
    const { schedule, kept } = this;
    const settles = schedule.totalStep - schedule.tfinal;
    const { budget, isAllocated } = budgetAt(step, schedule);
    if (step <= settles && (isAllocated || step === settles)) this.allocate(await this.read(tensors), budget);
    else if (step < settles) return;
    if (this.pattern === null) return;
    const values = await tensors.read(kept.map(({ layer }) => layer.e));
    const masked = kept.map(({ layer: { e }, mask }, index): [Parameter, TensorData<"float32">] => {
      const isLeft = left(mask);
      const { data, ...type } = values[index] as TensorData<"float32">;
      return [e, { ...type, data: data.map((value, triplet) => (isLeft[triplet] ? value : 0)) }];
    });
    await tensors.write(new Map(masked));
  }

  private async read(tensors: StepTensors): Promise<Float32Array> {
    const [scores] = await tensors.read([this.scores]);
    return (scores as TensorData<"float32">).data;
  }

  /** Leaves as many triplets as the budget has, those of the highest scores. */
  private allocate(scores: Float32Array, budget: number): void {
    const threshold = thresholdOf(scores, budget);
    let first = 0;
    for (const { layer, mask } of this.kept) {
      const own = scores.subarray(first, first + layer.r);
      mask.setData({ dtype: "float32", shape: mask.shape, data: own.map((score) => (score > threshold ? 1 : 0)) });
      first += layer.r;
    }
  }
}
