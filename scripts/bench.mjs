// Transpiles bench/**/*.ts to dist-bench/, where it imports the built package, and runs it with the given arguments.
import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, "bench");
const target = join(root, "dist-bench");

const files = await readdir(source, { recursive: true });
await build({
  entryPoints: files.filter((path) => path.endsWith(".ts")).map((path) => join(source, path)),
  outbase: source,
  outdir: target,
  format: "esm",
  target: "es2023",
  logLevel: "warning",
  tsconfig: join(root, "tsconfig.json"),
});

const run = spawnSync(process.execPath, [join(target, "main.js"), ...process.argv.slice(2)], { stdio: "inherit" });
process.exitCode = run.status ?? 1;
