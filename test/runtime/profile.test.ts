import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "#graft/runtime/index";
import { constant, f32, product } from "./graphs.js";

const definition = product(constant("weight", [1, 2, 3, 4, 5, 6], [3, 2]));
const x = () => f32([1, 3], [1, 0, 2]);

interface TraceEvent {
  readonly name: string;
  readonly args: { readonly op_name?: string };
}

describe("profileFolder", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "graft-profile-test-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("gets one trace for each program, with every run in it", async () => {
    const profileFolder = join(folder, "made", "here");
    const engine = await Engine.create({ threads: 1, profileFolder });
    const disposed = await engine.compile(definition);
    await disposed.run({ x: x() });
    await disposed.dispose();
    const kept = await engine.compile(definition);
    for (let run = 0; run < 3; run++) expect((await kept.run({ x: x() })).y).toEqual(f32([1, 2], [11, 14]));
    await engine.dispose();

    const files = (await readdir(profileFolder)).sort();
    expect(files).toEqual([expect.stringMatching(/^prediction-1_.*\.json$/), expect.stringMatching(/^prediction-2_/)]);
    const runs = await Promise.all(
      files.map(async (file) => {
        const trace = JSON.parse(await readFile(join(profileFolder, file), "utf8")) as TraceEvent[];
        expect(trace.some(({ args }) => args.op_name === "MatMul")).toBe(true);
        return trace.filter(({ name }) => name === "model_run").length;
      }),
    );
    expect(runs).toEqual([1, 3]);
  });

  it("is refused where no profiles are written, and where it cannot be made", async () => {
    const web = Engine.create({ backend: "wasm", threads: 1, profileFolder: folder });
    await expect(web).rejects.toMatchObject({ name: "GraftError", code: "unsupported" });
    const belowFile = Engine.create({ threads: 1, profileFolder: join(process.execPath, "profiles") });
    await expect(belowFile).rejects.toMatchObject({ name: "GraftError", code: "file-access" });
  });
});
