import { configClass } from "../config/config-class.js";
import type { Host, Injection, Tuner } from "../tuner.js";

/**
 * How a model is adapted with BitFit (Ben Zaken et al. 2022): all bias vectors are trained, and nothing else but the
 * modules that are saved whole.
 * @throws GraftError `invalid-config`
 */
export class BitFitConfig extends configClass({ peftType: "BITFIT", options: {}, isPefts: false }) {}

function inject(host: Host): Injection {
  const saved = new Set(host.copied());
  const biases = [...host.network.parameters()].filter((one) => one.name.endsWith("bias") && !saved.has(one));
  const copies = host.copy(biases);
  return {
    targets: biases.map(({ name }) => name.slice(0, -".bias".length)),
    merge: biases.map((parameter, index) => ({ parameter, write: (trace) => trace.parameter(copies[index]!) })),
  };
}

/** All bias vectors (Ben Zaken et al. 2022). PEFT has no such type. */
export const bitFit: Tuner<BitFitConfig> = {
  type: "BITFIT",
  name: "bitfit",
  help: "All bias vectors (Ben Zaken et al. 2022)",
  Config: BitFitConfig,
  inject,
};
