import { platform } from "#platform";
import { GraftError } from "../errors.js";
import type { ParameterSource } from "../nn/index.js";
import type { SafetensorsEntry } from "../safetensors/header.js";

/** A tensor's elements where they lie: read or mapped when they are needed, so the file must stay as it is now. */
export function fileSource({ file: path, offset, byteLength, version }: SafetensorsEntry): ParameterSource {
  return { kind: "file", path, offset, byteLength, version };
}

/**
 * To be called before elements are read or mapped: offsets say nothing about a file that was written anew.
 * @throws GraftError `file-access` naming the file that changed, `file-not-found`
 */
export async function requireUnchanged(sources: Iterable<ParameterSource>): Promise<void> {
  const expected = new Map<string, string>();
  for (const source of sources) {
    if (source.kind !== "file") continue;
    const { path, version } = source;
    const known = expected.get(path) ?? (await platform.fileVersion(path));
    if (version !== known) {
      throw new GraftError("file-access", `${path} has changed since it was loaded`, "Load the model again.");
    }
    expected.set(path, known);
  }
}
