import { execFileSync } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { openSafetensors, readTensor } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import type { TensorData } from "#graft/tensor-data";
import { fast, graft, textModel, workFolder, writeTable } from "./graft.js";
import { expectRefusal, type Refused } from "./refused.js";

let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);

/** A safetensors file of a header as it is given. */
function file(header: Readonly<Record<string, unknown>>, dataBytes: number, claimedLength?: number): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(claimedLength ?? json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const entry = (dtype: string, shape: readonly number[], offsets: readonly [number, number]) => ({
  dtype,
  shape,
  data_offsets: offsets,
});

const hostile: Readonly<Record<string, { readonly bytes: Uint8Array; readonly says: RegExp }>> = {
  "header beyond the file": { bytes: file({}, 0, 5000), says: /header should have 5000 bytes/ },
  "overlapping offsets": {
    bytes: file({ a: entry("F32", [2], [0, 8]), b: entry("F32", [2], [4, 12]) }, 12),
    says: /tensor b overlaps tensor a/,
  },
  "offsets out of range": { bytes: file({ a: entry("F32", [200], [0, 800]) }, 8), says: /but the file has/ },
  "unknown dtype": { bytes: file({ a: entry("Q9", [2], [0, 8]) }, 8), says: /unknown dtype "Q9"/ },
  "shape and size that differ": { bytes: file({ a: entry("F32", [3], [0, 8]) }, 8), says: /needs 12 bytes/ },
};

/** The tiny model with one of its tensors changed. */
async function changedModel(target: string, change: (tensor: TensorData<"float32">) => TensorData): Promise<void> {
  await cp(at("bert"), target, { recursive: true });
  const { entries } = await openSafetensors(at("bert/model.safetensors"));
  const tensors: [string, TensorData][] = [];
  for (const one of entries.values()) tensors.push([one.name, await readTensor(one)]);
  const isQuery = ([name]: [string, TensorData]) => name.endsWith("layer.0.attention.self.query.weight");
  const changed = tensors.map((pair): [string, TensorData] =>
    isQuery(pair) ? [pair[0], change(pair[1] as TensorData<"float32">)] : pair,
  );
  await writeSafetensors(join(target, "model.safetensors"), new Map(changed));
}

beforeAll(async () => {
  folder = await workFolder();
  await textModel(at("bert"));
  await writeTable(at("train.tsv"), 16);
  for (const [name, { bytes }] of Object.entries(hostile)) {
    await cp(at("bert"), at(name), { recursive: true });
    await writeFile(at(name, "model.safetensors"), bytes);
  }
  await changedModel(at("nan"), ({ dtype, shape, data }) => ({
    dtype,
    shape,
    data: Float32Array.from(data, (value, index) => (index === 7 ? Number.NaN : value)),
  }));
  await changedModel(at("narrow"), ({ dtype, shape: [, columns = 1], data }) => ({
    dtype,
    shape: [3, columns],
    data: data.slice(0, 3 * columns),
  }));
  await cp(at("bert"), at("words"), { recursive: true });
  const tokenizer = JSON.parse(await readFile(at("bert/tokenizer.json"), "utf8"));
  tokenizer.model.vocab.film = 5000;
  await writeFile(at("words/tokenizer.json"), JSON.stringify(tokenizer));
  const trained = await graft(folder, [
    "train",
    "--model",
    "bert",
    "--train",
    "train.tsv",
    "--output",
    "good",
    ...fast,
  ]);
  expect(trained.status).toBe(0);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const train = (model: string) => [
  "train",
  "--model",
  model,
  "--output",
  "out",
  "--train",
  "train.tsv",
  "--threads",
  "1",
];

describe("damaged and hostile safetensors", () => {
  for (const [name, { says }] of Object.entries(hostile)) {
    for (const args of [train(name), ["inspect", name], ["merge", "good", "out", "--model", name]]) {
      it(`${name}: graft ${args[0]}`, () =>
        expectRefusal(folder, { args, code: "invalid-safetensors", says: [`${name}/model.safetensors`, says] }));
    }
  }
});

const cases: readonly Refused[] = [
  { name: "NaN in the weights: train", args: train("nan"), code: "not-finite", says: ["update 1 of", "NaN"] },
  {
    name: "NaN in the weights: eval",
    args: ["eval", "good", "train.tsv", "--model", "nan"],
    code: "not-finite",
    says: ["the loss on train.tsv is NaN", "damaged"],
  },
  {
    name: "NaN in the weights: predict",
    args: ["predict", "good", "a film", "--model", "nan"],
    code: "not-finite",
    says: ['the model\'s outputs for "a film"'],
  },
  {
    name: "NaN in the weights: merge",
    args: ["merge", "good", "out", "--model", "nan"],
    code: "not-finite",
    says: ["query.weight of good on nan holds NaN"],
  },
  {
    name: "NaN in the weights: export",
    args: ["export", "nan", "out", "--allow-missing"],
    code: "not-finite",
    says: ["query.weight of nan holds NaN"],
  },
  {
    name: "an encoder's tensor of another shape than config.json says: train",
    args: train("narrow"),
    code: "shape-mismatch",
    says: ["query.weight is [3,32] in the file and [32,32] by config.json"],
  },
  {
    name: "an encoder's tensor of another shape than config.json says: eval",
    args: ["eval", "good", "train.tsv", "--model", "narrow"],
    code: "shape-mismatch",
    says: ["query.weight is [3,32]"],
  },
  {
    name: "tokens beyond the vocabulary: train",
    args: train("words"),
    code: "invalid-token",
    says: ["token id 5000", "takes 0 to 63 (vocab_size)"],
  },
  {
    name: "tokens beyond the vocabulary: predict",
    args: ["predict", "words", "film", "--allow-missing"],
    code: "invalid-token",
    says: ["5000", "0 to 63"],
  },
];

describe("weights and tokens that cannot be used", () => {
  for (const { name, ...refused } of cases) it(name, () => expectRefusal(folder, refused));
});

/** Mounts a file system of some kilobytes; false where this user may not. */
function mountSmall(target: string, kilobytes: number): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", target], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Runs a test in a folder of that name with a file system of its own, of some kilobytes. */
async function withFileSystem(
  context: TestContext,
  name: string,
  kilobytes: number,
  use: (path: string) => Promise<void>,
) {
  const path = at(name);
  await mkdir(path);
  try {
    if (!mountSmall(path, kilobytes)) context.skip("this user may not mount a file system");
    try {
      await use(path);
    } finally {
      execFileSync("umount", [path]);
    }
  } finally {
    await rm(path, { recursive: true });
  }
}

describe("a full disk", () => {
  it("is named, and leaves the log alone (left out where no file system can be mounted)", (context) =>
    withFileSystem(context, "small", 16, async (small) => {
      for (const args of [
        [...train("bert"), "--r", "32", "--output", "small/out"],
        ["merge", "good", "small/merged"],
        ["export", "good", "small/exported"],
      ]) {
        const { status, stderr } = await graft(folder, args);
        expect(stderr).toMatch(
          /^error \[disk-full\]: cannot write .*\nhint: Free some space; nothing was replaced\.\n$/m,
        );
        expect(status).toBe(1);
        expect(await readdir(small)).toEqual(["out"]);
        expect(await readdir(join(small, "out"))).toEqual(["events.jsonl", "frozen_precision.json"]);
      }
    }));

  it("that is read-only is named before training (left out where no file system can be mounted)", (context) =>
    withFileSystem(context, "closed", 64, async (closed) => {
      await mkdir(join(closed, "out"));
      execFileSync("mount", ["-o", "remount,ro", closed]);
      for (const output of ["closed/out", "closed/new/below"]) {
        const quiet = ["--report-to", "none", "--logging-steps", "1", "--output", output];
        const { status, stderr } = await graft(folder, [...train("bert"), ...quiet]);
        expect(stderr).toMatch(/^error \[file-access\]: .*it lies on a read-only file system$/m);
        expect(stderr).not.toContain("step 1/");
        expect(status).toBe(1);
      }
    }));

  it("leaves no adapter without its companions (left out where no file system can be mounted)", (context) =>
    withFileSystem(context, "smaller", 64, async (small) => {
      await cp(at("bert"), at("wordy"), { recursive: true });
      await writeFile(at("wordy/special_tokens_map.json"), `{${" ".repeat(80_000)}}`);
      const args = [...train("wordy"), "--r", "1", "--save-strategy", "no", "--output", "smaller/out"];
      const { status, stderr } = await graft(folder, args);
      expect(stderr).toContain("error [disk-full]: cannot write ");
      expect(status).toBe(1);
      expect(await readdir(join(small, "out"))).toEqual(["events.jsonl", "frozen_precision.json"]);
    }));
});
