import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSafetensors, readTensor } from "#graft/safetensors/read";
import { openShards } from "#graft/safetensors/sharded";
import { writeSafetensors } from "#graft/safetensors/write";
import { tensorData } from "#graft/tensor-data";

let folder: string;
let index: string;
const scalar = (value: number) => tensorData("float32", [], new Float32Array([value]));
const open = async () =>
  openShards(await readFile(index, "utf8"), index, openSafetensors, async (shard) => {
    const path = join(folder, shard);
    return existsSync(path) ? path : undefined;
  });
const writeIndex = (contents: unknown) =>
  writeFile(index, typeof contents === "string" ? contents : JSON.stringify(contents));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-sharded-"));
  index = join(folder, "model.safetensors.index.json");
  const first = new Map([["a", scalar(1)], ["b", scalar(2)]]); // biome-ignore format: one line is a table row
  await writeSafetensors(join(folder, "one.safetensors"), first, { format: "pt" });
  await writeSafetensors(join(folder, "two.safetensors"), new Map([["c", scalar(3)]]));
});
afterAll(() => rm(folder, { recursive: true }));

test("shards are joined into one view", async () => {
  await writeIndex({ weight_map: { a: "one.safetensors", b: "one.safetensors", c: "two.safetensors" } });
  const file = await open();
  expect(file.files).toEqual([join(folder, "one.safetensors"), join(folder, "two.safetensors")]);
  expect(file.metadata).toEqual({ format: "pt" });
  const read = [...file.entries].map(async ([name, entry]) => [name, (await readTensor(entry)).data[0]]);
  expect(Object.fromEntries(await Promise.all(read))).toEqual({ a: 1, b: 2, c: 3 });
});

test("the index decides: tensors that it does not list, or places in another shard, are passed over", async () => {
  const odd =
    '{"old":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"F32","shape":[],"data_offsets":[2,6]}}';
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(odd.length));
  await writeFile(join(folder, "odd.safetensors"), Buffer.concat([length, Buffer.from(odd), Buffer.alloc(6)]));
  await writeIndex({ weight_map: { a: "one.safetensors", b: "odd.safetensors" } });
  const file = await open();
  expect([...file.entries.keys()].sort()).toEqual(["a", "b"]);
  expect((await readTensor(file.entries.get("b")!)).data[0]).toBe(0);
  expect(file.unreadable.size).toBe(0);
});

const all = { a: "one.safetensors", b: "one.safetensors", c: "two.safetensors" };
const faults: [string, unknown, string, RegExp][] = [
  ["malformed JSON", '{"weight_map": ', "invalid-json", /line 1, column 16/],
  ["no weight_map", { metadata: {} }, "invalid-safetensors", /no weight_map/],
  ["an empty weight_map", { weight_map: {} }, "invalid-safetensors", /weight_map is empty/],
  ["a shard that is a number", { weight_map: { a: 1 } }, "invalid-safetensors", /tensor a is said to be in 1/],
  ["a shard outside the folder", { weight_map: { a: "../one.safetensors" } }, "invalid-safetensors", /\.\.\/one/],
  [
    "a shard that is missing",
    { weight_map: { ...all, d: "three.safetensors" } },
    "invalid-safetensors",
    /three.*does not exist/,
  ],
  [
    "a tensor that its shard lacks",
    { weight_map: { ...all, d: "two.safetensors" } },
    "invalid-safetensors",
    /tensor d is missing from two/,
  ],
];

test.each(faults)("%s", async (_what, contents, code, message) => {
  await writeIndex(contents);
  await expect(open()).rejects.toMatchObject({
    name: "GraftError",
    code,
    message: expect.stringMatching(message),
  });
});

test("a damaged shard is named", async () => {
  await writeFile(join(folder, "bad.safetensors"), "x");
  await writeIndex({ weight_map: { ...all, d: "bad.safetensors" } });
  await expect(open()).rejects.toMatchObject({
    message: expect.stringMatching(/bad\.safetensors is not a valid/),
  });
});
