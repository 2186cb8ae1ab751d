import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPickledWeights } from "#graft/pickle/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { fuzz } from "./fuzz.js";
import { storedZip } from "./mutants.js";

const golden = fileURLToPath(new URL("../golden/pickle/", import.meta.url));
const names = readdirSync(golden).flatMap((name) => (name.endsWith(".pt") ? [name.slice(0, -3)] : []));
const readable = names.filter((name) => !name.startsWith("refused_"));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-pickle-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The text of a message and a code. */
const refusal = (path: string) =>
  openPickledWeights(path).then(
    () => "read",
    (error) => `${error.code}: ${error.message}`,
  );

describe("what torch.save wrote", () => {
  test.each(readable)("%s: the same tensors as in safetensors", async (name) => {
    const pickled = await openPickledWeights(join(golden, `${name}.pt`));
    const expected = await readAllTensors(await openSafetensors(join(golden, `${name}.safetensors`)));
    const read = await readAllTensors(pickled);
    expect([...read.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [key, tensor] of expected) expect(read.get(key), key).toEqual(tensor);
    expect(pickled.unreadable).toEqual(new Map());
  });
});

describe("what a pickle may not hold", () => {
  test.each([
    ["refused_call", /^pickle-refused: .*the name (posix|nt)\.system/],
    ["refused_numpy", /^pickle-refused: .*the name numpy.*_reconstruct/],
    ["refused_class", /^pickle-refused: .*the name fractions\.Fraction/],
    ["refused_tensor", /^pickle-refused: .*a tensor in the place of tensors by name/],
    ["refused_expanded", /^pickle-refused: .*an expanded view \(tensor weight of shape \[1000000000\] in 1 elements\)/],
    ["refused_complex", /^pickle-refused: .*torch\.ComplexFloatStorage/],
    ["refused_float8", /^pickle-refused: .*_rebuild_tensor_v3/],
    ["refused_module", /^pickle-refused: .*torch\.nn\.modules\.linear\.Linear/],
    ["refused_plain_pickle", /^invalid-pickle: .*not one of torch's/],
    ["refused_protocol0", /^pickle-refused: .*opcode "d"/],
  ])("%s", async (name, expected) => {
    expect(await refusal(join(golden, `${name}.pt`))).toMatch(expected);
    expect(existsSync("/tmp/graft-was-here")).toBe(false);
  });

  test("every golden that must be refused is in the table above", () => {
    expect(names.filter((name) => name.startsWith("refused_"))).toHaveLength(10);
  });
});

describe("damaged files", () => {
  const write = async (bytes: Uint8Array): Promise<string> => {
    const path = join(folder, "file.pt");
    await writeFile(path, bytes);
    return path;
  };
  /** A pickle of one tensor "w" of 2 floats, with other numbers in the places that a test names. */
  const pickle = ({ offset = 0, size = 2, stride = 1, length = 2 } = {}): Uint8Array => {
    const text = (value: string) => ["X", value.length, 0, 0, 0, value];
    const global = (module: string, name: string) => ["c", `${module}\n${name}\n`];
    const parts: (string | number)[] = [0x80, 2, "}", ...text("w"), ...global("torch._utils", "_rebuild_tensor_v2")];
    parts.push("(", "(", ...text("storage"), ...global("torch", "FloatStorage"), ...text("0"), ...text("cpu"));
    parts.push("K", length, "t", "Q", "K", offset, "K", size, 0x85, "K", stride, 0x85, 0x89, ")", "t", "R", "s", ".");
    return Uint8Array.from(
      parts.flatMap((part) => (typeof part === "number" ? [part] : [...new TextEncoder().encode(part)])),
    );
  };
  const zip = (own: Uint8Array, bytes = 8) =>
    storedZip([
      ["data.pkl", own],
      ["data/0", new Uint8Array(bytes)],
    ]);

  test("a changed element is a checksum that is wrong", async () => {
    const bytes = new Uint8Array(await readFile(join(golden, "plain.pt")));
    const { entries } = await openPickledWeights(join(golden, "plain.pt"));
    const at = (entries.get("layer.0.weight")?.offset as number) + 5;
    bytes[at] = (bytes[at] as number) ^ 1;
    expect(await refusal(await write(bytes))).toMatch(/^invalid-pickle: .*its zip is broken/);
  });

  test("sizes are compared with the file before anything is allocated", async () => {
    expect(await refusal(await write(zip(pickle())))).toBe("read");
    expect(await refusal(await write(zip(pickle(), 12)))).toMatch(/2 elements of float32, and has 12 bytes/);
    expect(await refusal(await write(zip(pickle({ length: 200 }))))).toMatch(
      /200 elements of float32, and has 8 bytes/,
    );
    expect(await refusal(await write(zip(pickle({ offset: 1 }))))).toMatch(/offset 1 does not fit its storage of 2/);
    expect(await refusal(await write(zip(pickle({ size: 3 }))))).toMatch(/shape \[3\].* does not fit/);
    expect(await refusal(await write(zip(pickle({ stride: 2 }))))).toMatch(/strides \[2\].* does not fit/);
    expect(await refusal(await write(zip(pickle({ size: 200, stride: 0 }))))).toMatch(/an expanded view/);
  });

  test("two files of one name", async () => {
    const twice = storedZip([
      ["data.pkl", pickle()],
      ["data/0", new Uint8Array(8)],
      ["data/0", new Uint8Array(8)],
    ]);
    expect(await refusal(await write(twice))).toMatch(/^invalid-pickle/);
  });

  test("1,000 mutants are refused or read as they were", async () => {
    const outcomes = await fuzz(
      readable.map((name) => join(golden, `${name}.pt`)),
      folder,
      1000,
    );
    const sum = Object.values(outcomes).reduce((total, count) => total + count, 0);
    expect(sum).toBe(1000);
    expect(outcomes["pickle inside: pickle-refused"]).toBeGreaterThan(0);
  }, 120_000);
});
