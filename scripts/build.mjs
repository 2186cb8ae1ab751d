// Builds src/ into dist/, in two forms of the same modules:
// - dist/**/*.js, file by file, for browsers' bundlers, which leave out what a page does not use;
// - dist/node/**/*.js for Node, where half of a short command would go into opening five hundred small files: the code lies
//   in three files, what the engine's worker needs, the command line, and the rest, and each module's own name is a line that exports from them.
// Types are not checked here (`npm run check` does that), so a build takes about a second.
// Files are renamed into place and left alone when unchanged: a test run beside a build never sees half a file.
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { rolldown } from "rolldown";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, "src");
const target = join(root, "dist");
const tsconfig = join(root, "tsconfig.json");

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

async function fileByFile(inputs) {
  const { outputFiles } = await build({
    entryPoints: inputs,
    outbase: source,
    outdir: target,
    format: "esm",
    target: "es2023",
    write: false,
    logLevel: "warning",
    tsconfig,
  });
  return outputFiles.map(({ path, contents }) => [path, Buffer.from(contents)]);
}

/** The rooms that the worker stands on; what it does not need must not slow its start. */
const workerRooms = ["errors", "tensor-data", "random", "case", "platform", "optim", "graph", "onnx", "runtime"];
/** What a program that imports the library must not load, nor a bundler put into its bundle, packages included. */
const commandRooms = ["cli"];
/** These do something when they are imported, so they stay files of their own. */
const programs = ["cli/main", "runtime/worker"];

async function forNode(inputs) {
  const { imports } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const ofPlatform = (id) => imports[id]?.types?.[0];
  const stem = (path) => relative(source, path).replace(/\.ts$/, "");
  const own = {
    name: "own-imports",
    resolveId: (id) =>
      id.startsWith("#graft/")
        ? join(source, `${id.slice("#graft/".length)}.ts`)
        : ofPlatform(id) && join(root, ofPlatform(id)),
  };
  const bundle = await rolldown({
    input: Object.fromEntries(inputs.map((path) => [stem(path), path])),
    platform: "node",
    tsconfig,
    external: (id) => !/^[./#]/.test(id),
    plugins: [own],
    preserveEntrySignatures: "allow-extension",
    treeshake: false,
  });
  const inRooms = (path, rooms) => rooms.some((room) => stem(path) === room || stem(path).startsWith(`${room}/`));
  const { output } = await bundle.generate({
    format: "esm",
    entryFileNames: "[name].js",
    // Beside the worker, which is found by its place relative to the code that starts it.
    chunkFileNames: "runtime/[name].js",
    minifyInternalExports: false,
    keepNames: true,
    codeSplitting: {
      // A group takes what its modules import, but for what one of higher priority has taken.
      groups: [
        { name: "code-of-engine", test: (id) => inRooms(id, workerRooms) && !inRooms(id, programs), priority: 2 },
        {
          name: "code",
          test: (id) => id.startsWith(source) && !inRooms(id, [...commandRooms, ...programs]),
          priority: 1,
        },
        { name: "code-of-cli", test: (id) => inRooms(id, commandRooms) && !inRooms(id, programs) },
      ],
    },
  });
  await bundle.close();
  return output.map(({ fileName, code }) => [join(target, "node", fileName), Buffer.from(code)]);
}

const inputs = (await filesUnder(source)).filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
const outputs = (await Promise.all([fileByFile(inputs), forNode(inputs)])).flat();
await Promise.all(outputs.map(([path, contents]) => writeIfChanged(path, contents)));

const written = new Set(outputs.map(([path]) => path));
const types = new Set(inputs.map((path) => join(target, relative(source, path).replace(/\.ts$/, ".d.ts"))));
for (const path of await filesUnder(target)) {
  if (!path.endsWith(".tmp") && !written.has(path) && !types.has(path)) await rm(path, { force: true });
}
