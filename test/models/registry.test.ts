import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, test } from "vitest";
import { architectures, headNames, headOfClass, heads } from "#graft/models/index";
import { autoClassOf, goldenModels } from "./registry.js";

const golden = (path: string) => fileURLToPath(new URL(`../golden/${path}`, import.meta.url));
const programs = Object.keys(JSON.parse(readFileSync(golden("onnx/program-bytes.json"), "utf8")));

const rows = Object.entries(architectures).flatMap(([type, { heads: available }]) =>
  available.map((head) => [type, head] as const),
);

describe.each(rows)("%s with the head %s", (type, head) => {
  const names = goldenModels.filter((model) => model.type === type && model.head === head).map(({ name }) => name);

  it("has a golden model", () => expect(names).not.toEqual([]));

  it.runIf(head !== "base")("has golden gradients", () => {
    expect(names.filter((name) => existsSync(golden(`gradients/${name}.safetensors`)))).not.toEqual([]);
  });

  it("has its programs recorded", () => {
    expect(names.filter((name) => programs.includes(`${name}: prediction`))).not.toEqual([]);
  });

  it("is built under transformers' name, which leads back to the head", () => {
    const model = autoClassOf(head).fromConfig({ model_type: type }, { withWeights: false });
    const { suffix, oldSuffix = suffix }: { suffix: string; oldSuffix?: string } = heads[head];
    expect(model.network.className).toMatch(new RegExp(`^${type.replaceAll("-", "")}(${suffix}|${oldSuffix})$`, "i"));
    expect(headOfClass(model.network.className)).toBe(head);
    expect(model.network.head === null).toBe(head === "base");
  });
});

test("every head has a public class and an architecture", () => {
  expect(headNames.filter((head) => autoClassOf(head)?.constructor.name !== "AutoClass")).toEqual([]);
  expect(headNames.filter((head) => !rows.some(([, built]) => built === head))).toEqual([]);
});
