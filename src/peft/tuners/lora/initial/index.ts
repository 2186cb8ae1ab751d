import { GraftError } from "../../../../errors.js";
import { shown } from "../../../../json.js";
import { type Initializer, kaimingUniform, normal, zeros } from "../../../../nn/index.js";
import type { Host } from "../../../tuner.js";
import type { LoraConfig } from "../config.js";
import type { WeightMatrix } from "../weight-matrix.js";
import { mica } from "./mica.js";
import { fastPissa, type InitializationName } from "./names.js";
import { olora } from "./olora.js";
import { orthogonal } from "./orthogonal.js";
import { pissa, pissaFast } from "./pissa.js";
import type { InitialContext, InitialFactors, Initialization } from "./types.js";

const by = (a: Initializer, b: Initializer): InitialFactors => ({ a: { initializer: a }, b: { initializer: b } });

/** PyTorch's default for a linear layer, which PEFT keeps for A: uniform in +-1/sqrt(inFeatures). */
const linearDefault = kaimingUniform(Math.sqrt(5));

const named: { readonly [N in InitializationName]: Initialization } = {
  gaussian: ({ r }) => by(normal(1 / r), zeros),
  mica,
  olora,
  orthogonal,
  pissa,
};

/** Those that read no weight suit every kind of layer. */
const forAnyLayer = ["gaussian"];

function initializationOf(init: boolean | string): Initialization {
  if (typeof init === "boolean") return () => (init ? by(linearDefault, zeros) : by(linearDefault, linearDefault));
  const fast = fastPissa.exec(init);
  return fast ? pissaFast(Number(fast[1])) : named[init as InitializationName];
}

/** Embeddings: A zero and B normal, the other way round than elsewhere; PEFT heeds no name but MiCA's there. */
function forTable(context: InitialContext, init: boolean | string): InitialFactors {
  if (init === "mica") return mica(context);
  return init === false ? by(normal(1), normal(1)) : by(zeros, normal(1));
}

/**
 * How PEFT initialises A and B of a layer under a config's `initLoraWeights`.
 * @throws GraftError `unsupported` where the initialisation does not go with the kind of layer, `invalid-config` for a rank
 *   that it cannot have
 */
export function initialFactors(
  host: Host,
  matrix: WeightMatrix,
  { r, scaling }: { readonly r: number; readonly scaling: number },
  { initLoraWeights: init }: LoraConfig,
): InitialFactors {
  const context = { host, matrix, r, scaling };
  if (matrix.kind === "table") return forTable(context, init);
  if (matrix.kind === "kernel" && typeof init === "string" && !forAnyLayer.includes(init)) {
    throw new GraftError(
      "unsupported",
      `initLoraWeights ${shown(init)} goes with linear layers, and ${matrix.path} is a convolution`,
      "Leave it out of targetModules, or set initLoraWeights to true.",
      { option: "initLoraWeights" },
    );
  }
  return initializationOf(init)(context);
}
