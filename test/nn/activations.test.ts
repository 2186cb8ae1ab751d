import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defineProgram } from "#graft/compile/index";
import { mul, reduceSum } from "#graft/graph/index";
import { activationNames, activations, Parameter, Trace } from "#graft/nn/index";
import { Engine } from "#graft/runtime/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { toFloat32 } from "#graft/tensor-data";

const file = fileURLToPath(new URL("../golden/nn/activations.safetensors", import.meta.url));
const golden = await readAllTensors(await openSafetensors(file));
const values = (name: string) => toFloat32(golden.get(name)!);
const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ threads: 1 });
});
afterAll(() => engine.dispose());

test.each(activationNames)("%s and its gradient equal transformers' within 2e-6", async (name) => {
  const trace = new Trace("train");
  const x = new Parameter([64]);
  x.name = "x";
  const weight = trace.input("weight", "float32", [64]);
  const y = activations[name](trace.parameter(x));
  // The input again would be no output of its own: "linear" returns it.
  const outputs = { y: mul(y, 1), loss: reduceSum(mul(y, weight)) };
  const program = await engine.compile(
    defineProgram({ trace, outputs, loss: "loss", purpose: "training", backend: "cpu" }),
  );
  await engine.removeResident(["x"]);
  await engine.setResident({ x: golden.get("x")! });
  const { outputs: results } = await program.accumulate({ weight: golden.get("weight")! }, { fetch: ["y"] });
  const { x: gradient } = await program.gradients();
  expect(largestDifference(toFloat32(results.y!), values(name))).toBeLessThan(2e-6);
  expect(largestDifference(toFloat32(gradient!), values(`${name}.grad`))).toBeLessThan(2e-6);
});
