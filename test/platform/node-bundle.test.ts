import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Format } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

// Within the package, whose own name and dependencies a bundler resolves from there.
const home = fileURLToPath(new URL("../../", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(home, "dist-bundle-"));
  await writeFile(
    join(folder, "app.mjs"),
    'import { LoraConfig } from "graft-peft"; console.log(new LoraConfig({ r: 3 }).r);',
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a program with the library in its bundle, for Node", () => {
  it.each<[Format, string]>([
    ["esm", "out.mjs"],
    ["cjs", "out.cjs"],
  ])("runs as %s, and holds nothing of the command line", async (format, name) => {
    const { metafile } = await build({
      entryPoints: [join(folder, "app.mjs")],
      outfile: join(folder, name),
      bundle: true,
      platform: "node",
      format,
      external: ["sharp", "onnxruntime-node"],
      metafile: true,
      logLevel: "silent",
    });
    expect(execFileSync(process.execPath, [join(folder, name)], { encoding: "utf8" })).toBe("3\n");
    const packages = Object.keys(metafile.inputs).join("\n");
    expect(packages).toContain("/zod/");
    expect(packages).not.toMatch(/\/(commander|cli-progress|string-width)\//);
  });
});
