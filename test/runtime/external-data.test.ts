import { mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "#graft/runtime/index";
import { f32, product } from "./graphs.js";

/** A safetensors file written by hand, so that the offset is known: [3, 2] floats behind one other tensor. */
const values = new Float32Array([9, 9, 9, 1, 2, 3, 4, 5, 6]);
const header = Buffer.from(
  JSON.stringify({
    other: { dtype: "F32", shape: [3], data_offsets: [0, 12] },
    weight: { dtype: "F32", shape: [3, 2], data_offsets: [12, 36] },
  }),
);
const headerLength = Buffer.alloc(8);
headerLength.writeBigUInt64LE(BigInt(header.length));
const file = Buffer.concat([headerLength, header, Buffer.from(values.buffer)]);
const external = (location: string) => ({
  name: "weight",
  dtype: "float32" as const,
  dims: [3, 2],
  external: { location, offset: 8 + header.length + 12, length: 24 },
});
const x = f32([1, 3], [1, 0, 2]);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-runtime-"));
  await writeFile(join(folder, "model.safetensors"), file);
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(["cpu", "wasm"] as const)("external data in memory on %s", (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.create({ backend, threads: 1 });
  });
  afterAll(() => engine.dispose());

  it("is read, and the caller's bytes stay", async () => {
    const externalData = [{ path: "model.safetensors", data: file }];
    const program = await engine.compile({ ...product(external("model.safetensors")), externalData });
    expect((await program.run({ x })).y).toEqual(f32([1, 2], [11, 14]));
    expect(file.length).toBe(44 + header.length);
  });
});

describe("external data in files", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.create({ threads: 1 });
  });
  afterAll(() => engine.dispose());

  it("is mapped from a safetensors file, through a linked folder too", async () => {
    const program = await engine.compile({ ...product(external("model.safetensors")), externalFolder: folder });
    expect((await program.run({ x })).y).toEqual(f32([1, 2], [11, 14]));
    const link = `${folder}-link`;
    await symlink(folder, link);
    const linked = await engine.compile({ ...product(external("model.safetensors")), externalFolder: link });
    await rm(link);
    expect((await linked.run({ x })).y).toEqual(f32([1, 2], [11, 14]));
  });

  it("that is missing, cut off or a link is refused", async () => {
    await writeFile(join(folder, "short.safetensors"), file);
    await truncate(join(folder, "short.safetensors"), file.length - 8);
    await writeFile(join(tmpdir(), "graft-runtime-elsewhere"), file);
    await symlink(join(tmpdir(), "graft-runtime-elsewhere"), join(folder, "link.safetensors"));
    for (const name of ["missing.safetensors", "short.safetensors", "link.safetensors"]) {
      const compiled = engine.compile({ ...product(external(name)), externalFolder: folder });
      await expect(compiled, name).rejects.toMatchObject({ name: "GraftError", code: "engine" });
    }
    await rm(join(tmpdir(), "graft-runtime-elsewhere"));
    const nowhere = engine.compile({ ...product(external("model.safetensors")), externalFolder: `${folder}-none` });
    await expect(nowhere).rejects.toMatchObject({ name: "GraftError", code: "file-not-found" });
  });
});
