// Transpiles src/**/*.ts to dist/**/*.js, file by file, and removes outputs whose source is gone.
// Types are not checked here (`npm run check` does that), so a build takes well under a second.
// Files are renamed into place and left alone when unchanged: a test run beside a build never sees half a file.
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, "src");
const target = join(root, "dist");

async function filesUnder(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function writeIfChanged(path, contents) {
  const old = await readFile(path).catch(() => undefined);
  if (old?.equals(contents)) return;
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, contents);
  await rename(temporary, path);
}

const inputs = (await filesUnder(source)).filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
const result = await build({
  entryPoints: inputs,
  outbase: source,
  outdir: target,
  format: "esm",
  target: "es2023",
  write: false,
  logLevel: "warning",
  tsconfig: join(root, "tsconfig.json"),
});
await Promise.all(result.outputFiles.map((file) => writeIfChanged(file.path, Buffer.from(file.contents))));

const expected = new Set(inputs.map((path) => relative(source, path).replace(/\.ts$/, "")));
for (const path of await filesUnder(target)) {
  const stem = relative(target, path).replace(/(\.d\.ts|\.js)$/, "");
  if (!path.endsWith(".tmp") && !expected.has(stem)) await rm(path, { force: true });
}
