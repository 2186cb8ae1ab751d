import { GraftError } from "../../errors.js";
import { shown } from "../../json.js";
import { readParameter } from "../../models/index.js";
import type { Parameter } from "../../nn/index.js";
import { type Float32Tensor, LoRALayer } from "./lora-layer.js";
import { type Net, namedModules, namedParameters } from "./named-parameters.js";

/** Which biases train, and are saved, beside A and B. */
export type LoraBias = "none" | "all" | "lora_only";

const isLora = (name: string): boolean => name.includes("lora_");
const isBias = (name: string): boolean => name.includes("bias");

/** loralib's rule: the biases that are a LoRA layer's own, whatever its rank; a Conv2d's is its convolution's. */
function ownBiases(net: Net): Set<Parameter> {
  const layers = [...namedModules(net)].map(([, module]) => module).filter((module) => module instanceof LoRALayer);
  return new Set(
    layers.flatMap((layer) => {
      const bias = layer.ownParameters.get("bias");
      return bias ? [bias] : [];
    }),
  );
}

const trainedBiases: { readonly [B in LoraBias]: (net: Net) => (name: string, parameter: Parameter) => boolean } = {
  none: () => () => false,
  all: () => isBias,
  lora_only: (net) => {
    const own = ownBiases(net);
    return (_name, parameter) => own.has(parameter);
  },
};

/** @throws GraftError `invalid-argument` for another word */
function requireBias(bias: LoraBias): LoraBias {
  if (Object.hasOwn(trainedBiases, bias)) return bias;
  throw new GraftError("invalid-argument", `bias is ${shown(bias)}`, 'It is "none", "all" or "lora_only".');
}

/**
 * loralib's `mark_only_lora_as_trainable`: freezes all but A and B, and lets biases train besides. As there, a bias that
 * was trainable stays so only where `bias` says it.
 * @param net a layer, or an object or array of layers
 * @param bias "none" (default), "all", or "lora_only": those of layers that are loralib's
 * @throws GraftError `invalid-argument` for another `bias`
 */
export function markOnlyLoraAsTrainable(net: Net, bias: LoraBias = "none"): void {
  const trains = trainedBiases[requireBias(bias)](net);
  for (const [name, parameter] of namedParameters(net)) {
    if (!isLora(name)) parameter.trainable = trains(name, parameter);
    else if (bias === "all" && isBias(name)) parameter.trainable = true;
  }
}

/** The bias that stands beside a tensor of LoRA. */
const biasBeside = (name: string): string => `${name.slice(0, name.indexOf("lora_"))}bias`;

const savedNames: { readonly [B in LoraBias]: (names: readonly string[]) => string[] } = {
  none: (names) => names.filter(isLora),
  all: (names) => names.filter((name) => isLora(name) || isBias(name)),
  lora_only: (names) =>
    names.filter(isLora).flatMap((name) => [name, biasBeside(name)].filter((one) => names.includes(one))),
};

/**
 * loralib's `lora_state_dict`: the tensors of a net's updates by name.
 * @param net a layer, or an object or array of layers
 * @param bias which biases are among them: "none" (default), "all", or "lora_only": those beside an update
 * @throws GraftError `invalid-argument` for another `bias`, `missing-tensor`
 */
export async function loraStateDict(net: Net, bias: LoraBias = "none"): Promise<Record<string, Float32Tensor>> {
  const parameters = namedParameters(net);
  const names = new Set(savedNames[requireBias(bias)]([...parameters.keys()]));
  const tensors: Record<string, Float32Tensor> = {};
  for (const name of names) tensors[name] = await readParameter(parameters.get(name) as Parameter);
  return tensors;
}
