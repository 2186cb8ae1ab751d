import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  clipCoefficient,
  globalNorm,
  type OptimizerName,
  type OptimizerSettings,
  optimizers,
} from "#graft/optim/index";

interface Golden {
  initial: number[][];
  weightDecay: number;
  maxNorm: number;
  steps: { gradients: number[][]; norm: number; parameters: number[][] }[];
}

const { cases }: { cases: Record<string, Golden> } = JSON.parse(
  readFileSync(new URL("../golden/optim/steps.json", import.meta.url), "utf8"),
);

/** The largest difference over the largest magnitude. */
function relativeError(actual: Float32Array, expected: number[]): number {
  const scale = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] as number)))) / scale;
}

/** Replays a golden: the first parameter with weight decay, the second without and at ten times the rate. */
function replay<K extends OptimizerName>(
  name: K,
  caseName: string,
  learningRate: number,
  settings: OptimizerSettings[K],
) {
  const golden = cases[caseName] as Golden;
  const definition = optimizers[name];
  const parameters = golden.initial.map((values) => new Float32Array(values));
  const slots = parameters.map((p) => definition.slots(settings).map(() => new Float32Array(p.length)));
  golden.steps.forEach((expected, index) => {
    const gradients = expected.gradients.map((values) => new Float32Array(values));
    const norm = globalNorm(gradients);
    expect(Math.abs(norm / expected.norm - 1)).toBeLessThan(1e-6);
    const gradientScale = clipCoefficient(norm, golden.maxNorm);
    parameters.forEach((parameter, i) => {
      const scalars = {
        step: index + 1,
        learningRate: i === 0 ? learningRate : learningRate * 10,
        weightDecay: i === 0 ? golden.weightDecay : 0,
        gradientScale,
      };
      definition.update(parameter, gradients[i]!, slots[i]!, scalars, settings);
      // A few roundings to f32 per step.
      expect(relativeError(parameter, expected.parameters[i]!)).toBeLessThan(1e-6);
    });
  });
}

describe("LoRA-FA", () => {
  it("gives B the step that the full gradient asks for: G (A A^T)^-1 / scaling^2", () => {
    // Orthogonal rows of lengths 2 and 3, so that A A^T is diag(4, 9).
    const partner = Float32Array.of(2, 0, 0, 0, 3, 0);
    const scalars = { step: 1, learningRate: 1, weightDecay: 0, gradientScale: 0.5 };
    const stepped = (gradient: Float32Array, factor: boolean) => {
      const b = new Float32Array(2);
      const slots = [new Float32Array(2), new Float32Array(2)];
      const own = factor ? { ...scalars, factor: { partner, rank: 2, scaling: 2 } } : scalars;
      optimizers.lorafa.update(b, gradient, slots, own, { betas: [0, 0], epsilon: 1 });
      return slots[0]!;
    };
    const mean = stepped(Float32Array.of(16, 36), true);
    expect(mean[0]!).toBeCloseTo((0.5 * 16) / 4 / 4, 6);
    expect(mean[1]!).toBeCloseTo((0.5 * 36) / 9 / 4, 6);
    expect([...stepped(Float32Array.of(16, 36), false)]).toEqual([8, 18]);
  });
});

describe("optimisers take PyTorch's steps", () => {
  it("AdamW", () => replay("adamw", "adamw", 1e-2, optimizers.adamw.defaults));
  it("AdamW with other betas, clipped", () =>
    replay("adamw", "adamw-betas-clipped", 3e-3, { betas: [0.8, 0.95], epsilon: 1e-6 }));
  it("SGD", () => replay("sgd", "sgd", 0.1, optimizers.sgd.defaults));
  it("SGD with momentum and decay, clipped", () =>
    replay("sgd", "sgd-momentum-decay", 0.05, { momentum: 0.9, nesterov: false }));
  it("SGD with Nesterov momentum", () => replay("sgd", "sgd-nesterov", 0.05, { momentum: 0.8, nesterov: true }));
});

describe("gradient norm", () => {
  it("is taken over all arrays and lengths", () => {
    const lengths = [1, 2, 3, 4, 5, 8];
    const arrays = lengths.map((length) => new Float32Array(length).fill(2));
    expect(globalNorm(arrays)).toBeCloseTo(Math.sqrt(4 * 23), 12);
  });

  it("shows a value that is not finite", () => {
    expect(globalNorm([new Float32Array([1, Number.NaN])])).toBeNaN();
    expect(globalNorm([new Float32Array(3), new Float32Array([Number.NEGATIVE_INFINITY])])).toBe(
      Number.POSITIVE_INFINITY,
    );
  });

  it("clips only above the limit, and not at all for 0", () => {
    expect(clipCoefficient(0.5, 1)).toBe(1);
    expect(clipCoefficient(4, 1)).toBeCloseTo(0.25, 6);
    expect(clipCoefficient(4, 0)).toBe(1);
  });
});

describe("settings out of range are refused", () => {
  it.each([
    ["betas", () => optimizers.adamw.validate({ betas: [0.9, 1], epsilon: 1e-8 })],
    ["betas", () => optimizers.adamw.validate({ betas: [0.9] as unknown as [number, number], epsilon: 1e-8 })],
    ["epsilon", () => optimizers.adamw.validate({ betas: [0.9, 0.999], epsilon: -1 })],
    ["momentum", () => optimizers.sgd.validate({ momentum: 1.5, nesterov: false })],
    ["momentum", () => optimizers.sgd.validate({ momentum: 0, nesterov: true })],
  ])("%s", (setting, validate) => {
    expect(validate).toThrow(
      expect.objectContaining({ code: "invalid-argument", message: expect.stringMatching(setting) }),
    );
  });
});
