import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { GradientAccumulators } from "#graft/runtime/core/accumulators";
import {
  Engine,
  type OptimizerHandle,
  type OptimizerOptions,
  type OptimizerState,
  type Program,
  type StepOptions,
} from "#graft/runtime/index";
import { f32, regression } from "./graphs.js";

interface Step {
  losses: number[];
  gradients: { weight: number[]; bias: number[] };
  norm: number;
  weight: number[];
  bias: number[];
}
interface Run {
  initial: { weight: number[]; bias: number[] };
  steps: Step[];
}

/** What reference/make_runtime_golden.py printed. */
const golden: { batches: { x: number[]; y: number[] }[][]; adamw: Run; sgd: Run } = JSON.parse(
  readFileSync(new URL("../golden/runtime/regression.json", import.meta.url), "utf8"),
);

const adamw: OptimizerOptions = {
  optimizer: "adamw",
  parameters: [
    { name: "weight", weightDecay: 0.1 },
    { name: "bias", weightDecay: 0 },
  ],
};
const sgd: OptimizerOptions = { ...adamw, optimizer: "sgd", momentum: 0.9 };

let engine: Engine;
afterEach(() => engine.dispose());

async function start(run: Run, options: OptimizerOptions, backend: "cpu" | "wasm" = "cpu") {
  engine = await Engine.create({ backend, threads: 1 });
  const program = await engine.compile(regression());
  await engine.setResident({ weight: f32([3, 1], run.initial.weight), bias: f32([1], run.initial.bias) });
  return { program, optimizer: await engine.createOptimizer(options) };
}

async function accumulateStep(program: Program, step: number): Promise<number[]> {
  const losses: number[] = [];
  for (const { x, y } of golden.batches[step] ?? []) {
    const { loss } = await program.accumulate({ x: f32([8, 3], x), y: f32([8, 1], y) }, { weight: 0.5 });
    losses.push(loss);
  }
  return losses;
}

async function values(name: string): Promise<number[]> {
  return Array.from((await engine.getResident([name]))[name]?.data as Float32Array);
}

function expectClose(actual: ArrayLike<number>, expected: number[], tolerance = 2e-6): void {
  const scale = Math.max(1e-3, ...expected.map(Math.abs));
  expected.forEach((value, i) => {
    expect(Math.abs((actual[i] as number) - value) / scale).toBeLessThan(tolerance);
  });
}

async function expectPyTorchsRun(run: Run, program: Program, optimizer: OptimizerHandle, maxGradNorm: number) {
  for (const [index, expected] of run.steps.entries()) {
    expectClose(await accumulateStep(program, index), expected.losses);
    const gradients = await program.gradients();
    expectClose(gradients.weight?.data as Float32Array, expected.gradients.weight);
    expectClose(gradients.bias?.data as Float32Array, expected.gradients.bias);
    const { gradNorm } = await optimizer.step({ learningRate: 0.05, maxGradNorm });
    expectClose([gradNorm], [expected.norm]);
    expectClose(await values("weight"), expected.weight);
    expectClose(await values("bias"), expected.bias);
    expect(await program.gradients()).toEqual({});
  }
}

describe("a linear regression takes PyTorch's steps", () => {
  it("AdamW, two micro-batches, clipped", async () => {
    const { program, optimizer } = await start(golden.adamw, adamw);
    await expectPyTorchsRun(golden.adamw, program, optimizer, 0.5);
  });

  it("SGD with momentum", async () => {
    const { program, optimizer } = await start(golden.sgd, sgd);
    await expectPyTorchsRun(golden.sgd, program, optimizer, 0);
  });

  it("AdamW on onnxruntime-web's WASM", async () => {
    const { program, optimizer } = await start(golden.adamw, adamw, "wasm");
    await expectPyTorchsRun(golden.adamw, program, optimizer, 0.5);
  });
});

describe("accumulate", () => {
  it("returns the outputs asked for, gradients among them, and times the run", async () => {
    const { program } = await start(golden.adamw, adamw);
    const [batch] = golden.batches[0] ?? [];
    const inputs = { x: f32([8, 3], batch?.x ?? []), y: f32([8, 1], batch?.y ?? []) };
    const { outputs, timing } = await program.accumulate(inputs, { fetch: ["prediction", "gradBias"], weight: 0.5 });
    expect(outputs.prediction?.shape).toEqual([8, 1]);
    const sum = (await program.gradients()).bias?.data[0] as number;
    expect(sum).toBe((outputs.gradBias?.data[0] as number) * 0.5);
    expect(timing.totalMs).toBeGreaterThanOrEqual(timing.engineMs);
  });

  it("leaves the caller's arrays whole, and refuses those that were moved away", async () => {
    const { program } = await start(golden.adamw, adamw);
    const inputs = { x: f32([8, 3], Array(24).fill(1)), y: f32([8, 1], Array(8).fill(1)) };
    await program.accumulate(inputs);
    expect(inputs.x.data.length).toBe(24);
    structuredClone(inputs.x.data, { transfer: [inputs.x.data.buffer] });
    expect(inputs.x.data.length).toBe(0);
    await expect(program.accumulate(inputs)).rejects.toMatchObject({ name: "GraftError", code: "shape-mismatch" });
  });

  it("copies views exactly", async () => {
    const { program } = await start(golden.adamw, adamw);
    const wide = new Float32Array(100).fill(7);
    const [batch] = golden.batches[0] ?? [];
    wide.set(batch?.x ?? [], 50);
    const x = { dtype: "float32" as const, shape: [8, 3], data: wide.subarray(50, 74) };
    const { loss } = await program.accumulate({ x, y: f32([8, 1], batch?.y ?? []) });
    expectClose([loss], [golden.adamw.steps[0]?.losses[0] as number]);
    expect(wide.length).toBe(100);
  });
});

describe("a step that cannot be taken", () => {
  it("is refused without a gradient", async () => {
    const { optimizer } = await start(golden.adamw, adamw);
    await expect(optimizer.step({ learningRate: 1 })).rejects.toMatchObject({ code: "invalid-argument" });
  });

  it("is refused for numbers that are not finite, and leaves the parameters alone", async () => {
    const { program, optimizer } = await start(golden.adamw, adamw);
    const y = f32([8, 1], Array(8).fill(0));
    const { loss } = await program.accumulate({ x: f32([8, 3], Array(24).fill(Number.NaN)), y });
    expect(loss).toBeNaN();
    await expect(optimizer.step({ learningRate: 1 })).rejects.toMatchObject({ code: "not-finite" });
    expectClose(await values("weight"), golden.adamw.initial.weight, 1e-9);
    expect((await optimizer.state()).step).toBe(0);
    await optimizer.zeroGrad();
    await expectPyTorchsRun(golden.adamw, program, optimizer, 0.5);
  });

  it.each([
    ["no learning rate", { lr: 1e-3 }, /learningRate is undefined/],
    ["a learning rate that is not finite", { learningRate: Number.NaN }, /learningRate is NaN/],
    ["a learning rate below 0", { learningRate: -1 }, /learningRate is -1/],
    ["a norm that is not finite", { learningRate: 1, maxGradNorm: Number.NaN }, /maxGradNorm is NaN/],
    ["a norm below 0", { learningRate: 1, maxGradNorm: -1 }, /maxGradNorm is -1/],
  ])("is refused with %s, and leaves the parameters alone", async (_, options, message) => {
    const { program, optimizer } = await start(golden.adamw, adamw);
    await accumulateStep(program, 0);
    const step = optimizer.step(options as unknown as StepOptions);
    await expect(step).rejects.toMatchObject({ code: "invalid-argument", message: expect.stringMatching(message) });
    expectClose(await values("weight"), golden.adamw.initial.weight, 1e-9);
    expect((await optimizer.state()).step).toBe(0);
    await optimizer.zeroGrad();
    await expectPyTorchsRun(golden.adamw, program, optimizer, 0.5);
  });

  it("is refused for unknown settings before anything is trained", async () => {
    await start(golden.adamw, adamw);
    const unknown = { ...adamw, optimizer: "adagrad" } as unknown as OptimizerOptions;
    await expect(engine.createOptimizer(unknown)).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(engine.createOptimizer({ ...adamw, epsilon: -1 })).rejects.toMatchObject({ code: "invalid-argument" });
    for (const setting of [{ weightDecay: Number.NaN }, { weightDecay: 0, learningRateScale: Number.NaN }]) {
      const options: OptimizerOptions = { ...adamw, parameters: [{ name: "weight", ...setting }] };
      await expect(engine.createOptimizer(options)).rejects.toThrow(/of "weight" is NaN/);
    }
    const parameters = [{ name: "nothing", weightDecay: 0 }];
    await expect(engine.createOptimizer({ ...adamw, parameters })).rejects.toMatchObject({ code: "missing-tensor" });
  });
});

describe("a loss that is not finite", () => {
  it("belongs to the sums of its gradients, until those are cleared", () => {
    const sums = new GradientAccumulators();
    for (const name of ["weight", "bias", "other"]) sums.add(name, f32([1], [1]), 1);
    sums.noteLoss(Number.POSITIVE_INFINITY, ["weight", "bias"]);
    sums.noteLoss(1, ["weight", "bias", "other"]);
    sums.clear(["weight", "other"]);
    expect(sums.nonFiniteLoss(["weight", "bias"])).toBe(Number.POSITIVE_INFINITY);
    expect(sums.nonFiniteLoss(["other"])).toBeUndefined();
    sums.clear(["bias"]);
    expect(sums.nonFiniteLoss(["weight", "bias"])).toBeUndefined();
  });
});

describe("an optimiser that is disposed", () => {
  it("leaves nothing behind but the trained tensors", async () => {
    const { program, optimizer } = await start(golden.adamw, adamw);
    await accumulateStep(program, 0);
    await optimizer.step({ learningRate: 0.05, maxGradNorm: 0.5 });
    await accumulateStep(program, 1);
    await optimizer.dispose();
    expect(await program.gradients()).toEqual({});
    expectClose(await values("weight"), golden.adamw.steps[0]?.weight ?? []);
    await expect(optimizer.state()).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(/was disposed/),
    });
    await optimizer.dispose();
    await engine.dispose();
    await optimizer.dispose();
  });

  it("leaves the sums that another one waits for", async () => {
    const { program, optimizer } = await start(golden.adamw, adamw);
    const other = await engine.createOptimizer({ ...sgd, parameters: [{ name: "bias", weightDecay: 0 }] });
    await accumulateStep(program, 0);
    await optimizer.dispose();
    expect(Object.keys(await program.gradients())).toEqual(["bias"]);
    await other.step({ learningRate: 0.05 });
  });
});

describe("optimiser state", () => {
  it("continues a run to the bit in another engine", async () => {
    const first = await start(golden.adamw, adamw);
    const steps = async (run: { program: Program; optimizer: OptimizerHandle }, range: number[]) => {
      for (const index of range) {
        await accumulateStep(run.program, index);
        await run.optimizer.step({ learningRate: 0.05, maxGradNorm: 0.5 });
      }
    };
    await steps(first, [0, 1]);
    const [state, parameters] = [await first.optimizer.state(), await engine.getResident()];
    expect(Object.keys(state.tensors).sort()).toEqual([
      "bias.expAvg",
      "bias.expAvgSq",
      "weight.expAvg",
      "weight.expAvgSq",
    ]);
    await steps(first, [2, 3]);
    const whole = await engine.getResident();
    await engine.dispose();

    const second = await start(golden.adamw, adamw);
    await engine.setResident(parameters);
    await second.optimizer.loadState(state);
    await steps(second, [2, 3]);
    expect(await engine.getResident()).toEqual(whole);
  });

  it("of another optimiser or of other parameters is refused", async () => {
    const { optimizer } = await start(golden.sgd, sgd);
    const state = { optimizer: "sgd" as const, step: 1, tensors: { "head.momentumBuffer": f32([1], [0]) } };
    await expect(optimizer.loadState({ ...state, optimizer: "adamw" })).rejects.toThrow(/belongs to "adamw"/);
    await expect(optimizer.loadState(state)).rejects.toThrow(/head.momentumBuffer/);
    const tensors = { "bias.momentumBuffer": f32([2], [0, 0]), "weight.momentumBuffer": f32([3, 1], [0, 0, 0]) };
    await expect(optimizer.loadState({ ...state, tensors })).rejects.toThrow(/\[2\] instead of float32 \[1\]/);
  });

  it("that is not whole is refused, and the state stays as it was", async () => {
    const { program, optimizer } = await start(golden.adamw, adamw);
    await accumulateStep(program, 0);
    await optimizer.step({ learningRate: 0.05, maxGradNorm: 0.5 });
    const state = await optimizer.state();
    const { "bias.expAvgSq": _, ...halved } = state.tensors;
    const { "bias.expAvg": __, ...weightAlone } = halved;
    const refused: [Partial<OptimizerState>, RegExp][] = [
      [{ tensors: halved }, /at step 1 it lacks bias.expAvgSq/],
      [{ tensors: weightAlone }, /at step 1 it lacks bias.expAvg, bias.expAvgSq/],
      [{ tensors: {} }, /at step 1 it lacks weight.expAvg/],
      [{ step: 0, tensors: halved }, /at step 0 it lacks bias.expAvgSq/],
      ...[Number.NaN, -1, 1.5].map((step): [Partial<OptimizerState>, RegExp] => [{ step }, /its step is/]),
    ];
    for (const [change, message] of refused) {
      const loading = optimizer.loadState({ ...state, ...change });
      await expect(loading).rejects.toMatchObject({
        code: "invalid-argument",
        message: expect.stringMatching(message),
      });
    }
    expect(await optimizer.state()).toEqual(state);
  });

  it("from before the first step may be empty", async () => {
    const { program, optimizer } = await start(golden.adamw, adamw);
    await accumulateStep(program, 0);
    await optimizer.step({ learningRate: 0.05 });
    await optimizer.loadState({ optimizer: "adamw", step: 0, tensors: {} });
    await engine.setResident({
      weight: f32([3, 1], golden.adamw.initial.weight),
      bias: f32([1], golden.adamw.initial.bias),
    });
    await expectPyTorchsRun(golden.adamw, program, optimizer, 0.5);
  });

  it("holds parameters without gradients, too, and loads again", async () => {
    const { program, optimizer } = await start(golden.adamw, adamw);
    await engine.setResident({ other: f32([2], [1, 2]) });
    await optimizer.dispose();
    const parameters = [...adamw.parameters, { name: "other", weightDecay: 0 }];
    const wider = await engine.createOptimizer({ ...adamw, parameters });
    await accumulateStep(program, 0);
    await wider.step({ learningRate: 0.05 });
    const state = await wider.state();
    await wider.loadState(state);
    expect(await wider.state()).toEqual(state);
  });
});
