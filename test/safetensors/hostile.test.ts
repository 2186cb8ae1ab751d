import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors, readTensor } from "#graft/safetensors/read";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-hostile-"));
});
afterAll(() => rm(folder, { recursive: true }));

function file(header: string | Uint8Array, dataBytes: number, claimedLength?: bigint): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimedLength ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const entry = (dtype: unknown, shape: unknown, offsets: unknown) =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });
const one = (dtype: unknown, shape: unknown, offsets: unknown) => `{"w":${entry(dtype, shape, offsets)}}`;

const cases: [what: string, bytes: Uint8Array, message: RegExp][] = [
  ["an empty file", new Uint8Array(0), /0 bytes, too few/],
  ["seven bytes", new Uint8Array(7), /7 bytes, too few/],
  ["a header beyond the file", file("{}", 0, 1000n), /should have 1000 bytes, but the file ends after 2/],
  ["a header over 100 MB", file("{}", 0, 100_000_001n), /claims a header of 100000001 bytes/],
  ["a header of 2^64 - 1 bytes", file("{}", 0, 0xffffffffffffffffn), /claims a header of 18446744073709551615/],
  ["an empty header", file("", 0), /does not begin with \{/],
  ["a header that begins with a space", file(" {}", 0), /does not begin with \{/],
  ["a pickle under the name", file(new Uint8Array([0x80, 2, 0x7d]), 0), /does not begin with \{/],
  ["a header that is not UTF-8", file(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), 0), /not UTF-8/],
  ["malformed JSON", file('{"w": }', 0), /"}" where value should be \(byte 14\)/],
  ["a second JSON text behind the first", file("{}{}", 0), /where the end of the text should be/],
  ["a name twice", file(`{"w":${entry("F32", [1], [0, 4])},"w":${entry("F32", [1], [0, 4])}}`, 4), /key "w" a second/],
  ["a field twice", file('{"w":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4), /"dtype" a second/],
  ["metadata that is a list", file('{"__metadata__":[]}', 0), /__metadata__ is not an object/],
  ["metadata that holds a number", file('{"__metadata__":{"a":1}}', 0), /__metadata__\.a is not a string/],
  ["a tensor that is a number", file('{"w":1}', 0), /description of tensor w/],
  ["a deeply nested dtype", file(`{"w":{"dtype":${"[".repeat(200_000)}${"]".repeat(200_000)}}}`, 0), /deeply nested/],
  ["an unknown dtype", file(one("F31", [1], [0, 4]), 4), /tensor w has the unknown dtype "F31"/],
  ["no dtype", file(one(undefined, [1], [0, 4]), 4), /tensor w has the unknown dtype/],
  ["a dtype named like an object's method", file(one("constructor", [1], [0, 4]), 4), /unknown dtype "constructor"/],
  ["a negative dimension", file(one("F32", [-1], [0, 4]), 4), /tensor w has the shape \[-1\]/],
  ["a fractional dimension", file(one("F32", [1.5], [0, 6]), 6), /tensor w has the shape \[1\.5\]/],
  [
    "a dimension beyond 2^53",
    file('{"w":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]}}', 1),
    /has the shape/,
  ],
  ["a shape that is no list", file(one("F32", 4, [0, 16]), 16), /tensor w has the shape 4/],
  ["a product beyond 2^53", file(one("F32", [4294967296, 4294967296], [0, 0]), 0), /needs far too many bytes/],
  ["a shape that needs more than its bytes", file(one("F32", [2, 2], [0, 12]), 12), /needs 16 bytes.*span 12/],
  ["three offsets", file(one("F32", [1], [0, 4, 8]), 8), /data_offsets \[0,4,8\]/],
  ["offsets backwards", file(one("F32", [0], [4, 0]), 4), /data_offsets \[4,0\]/],
  ["a negative offset", file(one("F32", [1], [-4, 0]), 4), /data_offsets \[-4,0\]/],
  ["no offsets", file(one("F32", [1], undefined), 4), /tensor w has the data_offsets undefined/],
  ["data cut off", file(one("F32", [2], [0, 8]), 7), /tensor w ends at byte \d+, but the file has/],
  ["bytes behind the last tensor", file(one("F32", [1], [0, 4]), 5), /1 bytes behind tensor w belong to no tensor/],
  ["data without tensors", file("{}", 4), /4 bytes behind the header belong/],
  ["a hole before the first tensor", file(one("F32", [1], [4, 8]), 8), /4 bytes between the header and tensor w/],
  [
    "tensors that overlap",
    file(`{"a":${entry("F32", [2], [0, 8])},"b":${entry("F32", [2], [4, 12])}}`, 12),
    /tensor b overlaps tensor a/,
  ],
  [
    "two names for the same bytes",
    file(`{"a":${entry("F32", [1], [0, 4])},"b":${entry("F32", [1], [0, 4])}}`, 4),
    /tensor b overlaps tensor a/,
  ],
  [
    "a hole between tensors",
    file(`{"a":${entry("F32", [1], [0, 4])},"b":${entry("F32", [1], [8, 12])}}`, 12),
    /4 bytes between tensor a and tensor b/,
  ],
];

describe("a damaged or hostile file is refused when it is opened", () => {
  test.each(cases)("%s", async (_what, bytes, message) => {
    const path = join(folder, "hostile.safetensors");
    await writeFile(path, bytes);
    await expect(openSafetensors(path)).rejects.toMatchObject({
      name: "GraftError",
      code: "invalid-safetensors",
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/./),
    });
    await expect(openSafetensors(path)).rejects.toThrow("hostile.safetensors");
  });
});

test("a dtype that Graft has no arrays for is told apart, and its size checked", async () => {
  const path = join(folder, "f8.safetensors");
  await writeFile(path, file(one("F8_E4M3", [4], [0, 4]), 4));
  const { entries, unreadable } = await openSafetensors(path);
  expect([[...entries], [...unreadable]]).toEqual([[], [["w", "F8_E4M3"]]]);
  await writeFile(path, file(one("F4", [5], [0, 4]), 4));
  await expect(openSafetensors(path)).rejects.toThrow(/tensor w of shape \[5\] and dtype F4 needs 3 bytes/);
});

test("a missing file and a folder are named as such", async () => {
  await expect(openSafetensors(join(folder, "nothing.safetensors"))).rejects.toMatchObject({ code: "file-not-found" });
  await mkdir(join(folder, "folder.safetensors"));
  await expect(openSafetensors(join(folder, "folder.safetensors"))).rejects.toMatchObject({
    code: "file-access",
    message: expect.stringMatching(/is a folder/),
  });
});

test("an unaligned header and unknown fields are read as the reference reader reads them", async () => {
  const path = join(folder, "odd.safetensors");
  const bytes = file('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":1}}', 4);
  new DataView(bytes.buffer).setFloat32(bytes.length - 4, 2.5, true);
  await writeFile(path, bytes);
  const { entries } = await openSafetensors(path);
  expect((await readTensor(entries.get("w") ?? expect.fail("no w"))).data).toEqual(new Float32Array([2.5]));
});

test("null for no metadata is accepted, as the reference reader does", async () => {
  const path = join(folder, "null.safetensors");
  await writeFile(path, file('{"__metadata__":null}', 0));
  expect(await openSafetensors(path)).toMatchObject({ metadata: {}, entries: new Map() });
});

test("entries name the real file behind a link, and a file cut off after it was opened is noticed", async () => {
  const path = join(folder, "real.safetensors");
  const bytes = file(one("F32", [2], [0, 8]), 8);
  await writeFile(path, bytes);
  await symlink(path, join(folder, "link.safetensors"));
  const opened = await openSafetensors(join(folder, "link.safetensors"));
  const w = opened.entries.get("w") ?? expect.fail("no w");
  expect([w.file, w.offset, w.byteLength]).toEqual([path, bytes.length - 8, 8]);
  await truncate(path, bytes.length - 1);
  await expect(readTensor(w)).rejects.toMatchObject({
    code: "file-access",
    message: expect.stringMatching(/real\.safetensors has \d+ bytes/),
  });
});
