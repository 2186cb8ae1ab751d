import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

/** Bundles as a user's project does, for the browser; what cannot be resolved there fails the build. */
async function bundle(source: string) {
  const { metafile, outputFiles } = await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL("../..", import.meta.url)) },
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    outdir: "/",
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  const inputs = Object.keys(metafile.inputs);
  const packages = inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  return {
    own: inputs.filter((path) => path.startsWith("dist/")),
    packages: [...new Set(packages)].sort(),
    external: imports.filter(({ external }) => external).map(({ path }) => path),
    zipped: outputFiles.reduce((total, { contents }) => total + gzipSync(contents).length, 0),
  };
}

const forNode = /(^|\/|-)node[^/]*\.js$|dist\/cli\//;

test("a page's bundle holds nothing of Node, no native package, and less than 430 kB zipped", async () => {
  const page = await bundle('export * from "graft-peft";');
  expect(page.own).toContain("dist/platform/web.js");
  expect(page.own).toContain("dist/data/images/decode-web.js");
  expect(page.own.filter((path) => forNode.test(path))).toEqual([]);
  expect(page.packages).toEqual([
    "@huggingface/jinja",
    "@zip.js/zip.js",
    "csv-parse",
    "fastest-levenshtein",
    "hyparquet",
    "ml-matrix",
    "pbf",
    "yaml",
    "zod",
  ]);
  expect(page.external).toEqual([]);
  expect(page.zipped).toBeLessThan(430_000);
});

test("so does the worker's, which brings onnxruntime-web", async () => {
  const worker = await bundle('import "graft-peft/worker";');
  expect(worker.own).toContain("dist/runtime/backends/web.js");
  expect(worker.own.filter((path) => forNode.test(path))).toEqual([]);
  expect(worker.packages).toEqual(["onnxruntime-web", "pbf"]);
  expect(worker.external).toEqual([]);
});
