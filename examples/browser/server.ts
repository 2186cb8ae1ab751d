import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { build } from "esbuild";

const mediaTypes: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Bundles pages and, as an entry beside them, the step worker. @returns the scripts by URL path */
export async function bundle(pages: Readonly<Record<string, string>>): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: { ...pages, worker: "graft-peft/worker" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    outdir: "/",
    write: false,
    logLevel: "warning",
  });
  return new Map(outputFiles.map(({ path, contents }) => [path, contents]));
}

export interface SiteContents {
  /** By URL path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Folders on disk by the URL path's first part. */
  readonly folders: Readonly<Record<string, string>>;
  /** Names of folders that are served as by servers which know no byte ranges. */
  readonly withoutRanges?: readonly string[];
  /** Default: any free one. */
  readonly port?: number;
}

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves on localhost, cross-origin isolated, so that ONNX Runtime may use threads. */
export async function openSite({ files, folders, withoutRanges = [], port = 0 }: SiteContents): Promise<Site> {
  const contentOf = async (path: string): Promise<Uint8Array> => {
    const file = files.get(path);
    if (file) return file;
    const [, first = "", ...rest] = normalize(path).split("/");
    const folder = folders[first];
    if (folder === undefined) throw new Error(`nothing is served at ${path}`);
    return readFile(join(folder, ...rest));
  };
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    const whole = await contentOf(path).catch(() => undefined);
    const knowsRanges = !withoutRanges.includes(path.split("/")[1] ?? "");
    const range = knowsRanges ? /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") : null;
    const content = range ? whole?.subarray(Number(range[1]), Number(range[2]) + 1) : whole;
    response.writeHead(content ? (range ? 206 : 200) : 404, {
      "Content-Type": mediaTypes[extname(path) || ".html"] ?? "application/octet-stream",
      "Content-Length": content?.byteLength ?? 0,
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    });
    response.end(request.method === "HEAD" ? undefined : content);
  });
  const address = await listening(server, port);
  return { url: `http://localhost:${address.port}`, close: () => closed(server) };
}

function listening(server: Server, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "localhost", () => resolve(server.address() as AddressInfo));
  });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
