import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { explained } from "./node-errors.js";

/** A file of an installed package, such as "some-package/some.wasm". */
export async function packageFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  // Bundled as CommonJS there is no URL of this module: what is installed for the program counts.
  const found = createRequire(import.meta.url ?? process.argv[1] ?? process.cwd()).resolve(path);
  return explained("read", found, async () => new Uint8Array(await readFile(found)));
}
