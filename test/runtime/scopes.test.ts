import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Engine, type EngineScope, type OptimizerOptions, openScope } from "#graft/runtime/index";
import { f32, longRun, regression } from "./graphs.js";

let engine: Engine;
beforeEach(async () => {
  engine = await Engine.create({ threads: 1 });
});
afterEach(() => engine.dispose());

const adamw: OptimizerOptions = {
  optimizer: "adamw",
  parameters: [
    { name: "weight", weightDecay: 0.1 },
    { name: "bias", weightDecay: 0 },
  ],
};

/** Model n's data at a step. */
function batch(n: number, step: number) {
  const at = (i: number) => Math.sin(7 * n + 3 * step + i);
  return {
    x: f32(
      [4, 3],
      Array.from({ length: 12 }, (_, i) => at(i)),
    ),
    y: f32(
      [4, 1],
      Array.from({ length: 4 }, (_, i) => at(20 + i)),
    ),
  };
}

async function start(scope: EngineScope, n: number) {
  const program = await scope.compile(regression());
  await scope.setResident({ weight: f32([3, 1], [n, -n, 0.5]), bias: f32([1], [n / 2]) });
  const optimizer = await scope.createOptimizer(adamw);
  return {
    accumulate: (step: number) => program.accumulate(batch(n, step), { weight: 0.5 }),
    step: () => optimizer.step({ learningRate: 0.05, maxGradNorm: 0.5 }),
    end: async () => ({ tensors: await scope.getResident(), state: await optimizer.state() }),
    program,
    optimizer,
  };
}

async function alone(n: number) {
  const own = await Engine.create({ threads: 1 });
  const model = await start(own, n);
  for (const step of [0, 1, 2]) {
    await model.accumulate(step);
    await model.accumulate(step + 10);
    await model.step();
  }
  const end = await model.end();
  await own.dispose();
  return end;
}

describe("scopes of one engine", () => {
  it("train tensors of the same names as engines of their own would, to the bit", async () => {
    const models = [await start(engine.scope(), 1), await start(engine.scope(), 2)];
    for (const step of [0, 1, 2]) {
      await Promise.all(models.map((model) => model.accumulate(step)));
      await Promise.all(models.map((model) => model.accumulate(step + 10)));
      await Promise.all(models.map((model) => model.step()));
    }
    const ends = await Promise.all(models.map((model) => model.end()));
    expect(ends).toEqual([await alone(1), await alone(2)]);
    expect(await engine.getResident()).toEqual({});
  });

  it("end alone, and leave the others what they hold", async () => {
    const [first, second] = [engine.scope(), engine.scope()];
    const [ended, left] = [await start(first, 1), await start(second, 2)];
    await Promise.all([ended.accumulate(0), left.accumulate(0)]);
    await first.dispose();
    await first.dispose();
    expect([first.hasEnded, second.hasEnded, engine.hasEnded]).toEqual([true, false, false]);
    for (const call of [ended.accumulate(1), ended.step(), ended.end(), first.setResident({})]) {
      await expect(call).rejects.toMatchObject({ name: "GraftError", code: "aborted" });
    }
    await ended.program.dispose();
    await ended.optimizer.dispose();
    await left.accumulate(10);
    await left.step();
    for (const step of [1, 2]) {
      await left.accumulate(step);
      await left.accumulate(step + 10);
      await left.step();
    }
    expect(await left.end()).toEqual(await alone(2));
    await engine.dispose();
    expect(second.hasEnded).toBe(true);
    await expect(left.step()).rejects.toMatchObject({ code: "aborted" });
    await second.dispose();
  });

  it("drop what waits when they end, and nothing of the others", async () => {
    const size = 512;
    const x = () => f32([size, size], { length: size * size });
    const [first, second] = [engine.scope(), engine.scope()];
    const [program, other] = [await first.compile(longRun(size, 40)), await second.compile(longRun(size, 1))];
    const waiting = Promise.allSettled([program.run({ x: x() }), program.run({ x: x() })]);
    const goesOn = other.run({ x: x() });
    await first.dispose();
    for (const result of await waiting)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "aborted" } });
    expect((await goesOn).p0?.shape).toEqual([size, size]);
  });

  it("may end together with the engine", async () => {
    const scope = engine.scope();
    await start(scope, 1);
    await Promise.all([scope.dispose(), engine.dispose()]);
    expect(scope.hasEnded).toBe(true);
  });
});

describe("openScope", () => {
  it("shares the engine that is given, which its end leaves alone", async () => {
    const scope = await openScope({ engine });
    await start(scope, 1);
    expect((await engine.counters()).sessions).toBe(1);
    await scope.dispose();
    expect(engine.hasEnded).toBe(false);
    await expect(openScope({ engine, threads: 2 })).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(/options for making one: threads/),
    });
  });

  it("makes an engine that ends with it where none is given", async () => {
    const scope = await openScope({ threads: 1 });
    const { program } = await start(scope, 1);
    expect([scope.threads, (await engine.counters()).sessions]).toEqual([1, 0]);
    await scope.dispose();
    await expect(program.run(batch(0, 0))).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("residentBytes and counters", () => {
  it("are of one scope, those of the engine of all", async () => {
    const [first, second] = [engine.scope(), engine.scope()];
    await start(first, 1);
    await second.setResident({ weight: f32([100], { length: 100 }), other: f32([2], [1, 2]) });
    expect([await first.residentBytes(), await second.residentBytes()]).toEqual([16, 408]);
    expect(await engine.residentBytes()).toBe(424);
    await second.removeResident(["weight"]);
    expect([await first.residentBytes(), await second.residentBytes()]).toEqual([16, 8]);
    await first.dispose();
    expect(await engine.residentBytes()).toBe(8);
    expect(await second.counters()).toEqual({ sessions: 0, bytesUploaded: 408, runs: 0 });
    expect(await engine.counters()).toEqual({ sessions: 1, bytesUploaded: 424, runs: 0 });
  });
});
