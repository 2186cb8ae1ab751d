import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { encodeInitializer } from "../../onnx/index.js";
import { bytesOf } from "../../tensor-data.js";
import type { ProgramDefinition, QuantizedData } from "../definition.js";
import type { QuantizeProgress } from "../protocol.js";
import { quantizedTensors } from "./quantized-weights.js";
import { Scratch } from "./scratch.js";

/** Progress is told so often at most, and not at all of what is done sooner. */
const reportIntervalMs = 500;

/**
 * Calls `use` with the definition whose int8 weights are made: constants of the model that lie in a temporary file, which
 * is removed afterwards. ONNX Runtime maps that file, packs the weights for its kernels and needs it no more. Of weights
 * within the model it would keep a copy beside the packed ones (the C library's heap does not shrink from its middle);
 * of weights fed as inputs it would pack one anew for each product of each step.
 * @throws GraftError `disk-full`, `unsupported` where the temporary folder is on another drive than the model
 */
export async function withInt8Weights<T>(
  definition: ProgramDefinition,
  report: (progress: QuantizeProgress) => void,
  use: (definition: ProgramDefinition) => Promise<T>,
): Promise<T> {
  const { quantizedData: wanted = [] } = definition;
  if (wanted.length === 0) return use(definition);
  const temporary = await platform.makeTemporaryDirectory("graft-int8-");
  try {
    const folder = await platform.realPath(temporary);
    const externalFolder = definition.externalFolder ?? folder;
    const initializers = await writeWeights(
      wanted,
      `${folder}/${fileName}`,
      locationIn(externalFolder, folder),
      report,
    );
    return await use({ ...definition, externalFolder, model: joined([definition.model, ...initializers]) });
  } finally {
    // A system that does not let go of a mapped file (Windows) keeps it until its temporary folder is cleared.
    await platform.remove(temporary).catch(() => {});
  }
}

const fileName = "weights";

/** The weights' file as external data names it: relative, with `/`. */
function locationIn(externalFolder: string, folder: string): string {
  const [root, path] = [externalFolder, `${folder}/${fileName}`].map((name) => name.replaceAll("\\", "/"));
  if (path?.startsWith(root as string)) return path.slice(root?.length).replace(/^\//, "");
  throw new GraftError(
    "unsupported",
    `the temporary folder ${folder} is on another drive than the model, ${externalFolder}`,
    'Let TEMP name a folder on the drive of the model, or use frozenPrecision "f32".',
  );
}

/** Writes the values and returns the encoded initialisers, scales among them: fields of a graph that is already encoded. */
async function writeWeights(
  wanted: readonly QuantizedData[],
  path: string,
  location: string,
  report: (progress: QuantizeProgress) => void,
): Promise<Uint8Array[]> {
  const initializers: Uint8Array[] = [];
  const scratch = new Scratch();
  const began = platform.now();
  let told = began;
  let offset = 0;
  for (const [index, data] of wanted.entries()) {
    for (const [name, { values, scales }] of Object.entries(await quantizedTensors(data, scratch))) {
      const bytes = bytesOf(values);
      await platform.appendFile(path, bytes);
      const external = { location, offset, length: bytes.byteLength };
      offset += bytes.byteLength;
      initializers.push(
        encodeInitializer({ name: `${name}/values`, dtype: values.dtype, dims: [...values.shape], external }),
        encodeInitializer({
          name: `${name}/scales`,
          dtype: scales.dtype,
          dims: [...scales.shape],
          rawData: bytesOf(scales),
        }),
      );
    }
    const now = platform.now();
    const isLast = index === wanted.length - 1 && told > began;
    if (now - told < reportIntervalMs && !isLast) continue;
    told = now;
    report({ done: index + 1, total: wanted.length, seconds: (now - began) / 1000 });
  }
  return initializers;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
