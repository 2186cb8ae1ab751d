import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

const mediaTypes: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

const ortFolder = join(root, "node_modules/onnxruntime-web/dist");
const goldenFolder = join(root, "test/golden");

/** Folders behind the site's first path part. `whole` answers as servers do that know no ranges. */
const folders: Readonly<Record<string, string>> = { ort: ortFolder, golden: goldenFolder, whole: goldenFolder };

/** Bundles the page and, as a second entry beside it, the step worker. @returns what lies beside the page, by path */
async function bundle(): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: { page: join(root, "test/browser/page.ts"), worker: join(root, "dist/runtime/worker.js") },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    outdir: "/",
    write: false,
    logLevel: "warning",
  });
  const scripts = new Map(outputFiles.map(({ path, contents }) => [path, contents]));
  // Without wasmPaths, ONNX Runtime looks for its WebAssembly beside the script that it was bundled into.
  const wasm = "ort-wasm-simd-threaded.wasm";
  return scripts.set(`/${wasm}`, await readFile(join(ortFolder, wasm)));
}

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the bundled page, ONNX Runtime's files and the golden folders on localhost, cross-origin isolated. */
export async function openSite(): Promise<Site> {
  const scripts = await bundle();
  const pageText = '<!doctype html><title>Graft</title><script type="module" src="/page.js"></script>';
  const contentOf = async (path: string): Promise<Uint8Array> => {
    if (path === "/") return new TextEncoder().encode(pageText);
    const script = scripts.get(path);
    if (script) return script;
    const [, first = "", ...rest] = normalize(path).split("/");
    const folder = folders[first];
    if (folder === undefined) throw new Error(`nothing is served at ${path}`);
    return readFile(join(folder, ...rest));
  };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const whole = await contentOf(pathname).catch(() => undefined);
    const range = pathname.startsWith("/whole/") ? null : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const content = range ? whole?.subarray(Number(range[1]), Number(range[2]) + 1) : whole;
    const status = range ? 206 : 200;
    response.writeHead(content ? status : 404, {
      "Content-Type": mediaTypes[extname(pathname) || ".html"] ?? "application/octet-stream",
      "Content-Length": content?.byteLength ?? 0,
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    });
    response.end(request.method === "HEAD" ? undefined : content);
  });
  const { port } = await listening(server);
  return { url: `http://localhost:${port}`, close: () => closed(server) };
}

function listening(server: Server): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "localhost", () => resolve(server.address() as AddressInfo));
  });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
