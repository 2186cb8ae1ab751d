import { describe, expect, it } from "vitest";
import {
  kaimingUniform,
  LayerNorm,
  Linear,
  normal,
  type Parameter,
  parameterRandom,
  truncatedNormal,
} from "#graft/nn/index";

const shape = [200, 300];
const deviation = (data: Float32Array) => Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);

describe("initialisers", () => {
  it("depend on seed and name alone", () => {
    const draw = (seed: number, name: string) => normal(1)([8], parameterRandom(seed, name));
    expect(draw(1, "a.weight")).toEqual(draw(1, "a.weight"));
    expect(draw(1, "a.weight")).not.toEqual(draw(2, "a.weight"));
    expect(draw(1, "a.weight")).not.toEqual(draw(1, "b.weight"));
  });

  it("kaimingUniform(sqrt(5)) fills [-1/sqrt(fanIn), 1/sqrt(fanIn)] evenly", () => {
    const bound = 1 / Math.sqrt(300);
    const data = kaimingUniform(Math.sqrt(5))(shape, parameterRandom(0, "w"));
    expect(Math.max(...data.map(Math.abs).slice(0, 60_000))).toBeLessThanOrEqual(Math.fround(bound));
    // A uniform distribution's deviation is bound / sqrt(3); 60,000 draws are within 2 % of it (over 6 sigma).
    expect(deviation(data) / (bound / Math.sqrt(3))).toBeCloseTo(1, 1.7);
  });

  it("normal and truncatedNormal have their deviation, and the latter its bounds", () => {
    expect(deviation(normal(0.02)(shape, parameterRandom(0, "w"))) / 0.02).toBeCloseTo(1, 1.7);
    const wide = truncatedNormal(4)(shape, parameterRandom(0, "w"));
    expect(Math.max(...wide.map(Math.abs).slice(0, 60_000))).toBeLessThanOrEqual(2);
  });

  it("layers begin as PyTorch's do: weights drawn, biases zero, LayerNorm one and zero", () => {
    const [linear, norm] = [new Linear(4, 2), new LayerNorm(3, 1e-5)];
    for (const module of [linear, norm]) {
      module.assignNames("layer");
      for (const parameter of module.parameters()) parameter.initialize(0);
    }
    const values = (parameter: Parameter | null) =>
      parameter?.source.kind === "memory" ? [...(parameter.source.data.data as Float32Array)] : [];
    expect(values(linear.weight).every((x) => x !== 0 && Math.abs(x) <= 0.5)).toBe(true);
    expect(values(linear.bias)).toEqual([0, 0]);
    expect([values(norm.weight), values(norm.bias)]).toEqual([
      [1, 1, 1],
      [0, 0, 0],
    ]);
  });
});
