import { GraftError } from "../../../errors.js";
import { add, type Dim, mul, reshape, type Tensor } from "../../../graph/index.js";
import type { Module, Parameter, Trace } from "../../../nn/index.js";
import { rowwiseProduct, takenRows } from "../../host/row-banks.js";
import type { Acting, MixedAdapter, MixHost } from "../../tuner.js";
import { TunerLayer } from "../../tuner-layer.js";
import type { LoraConfig } from "./config.js";

/** y = W x + b + s B A x with every row's own s, B and A; ranks below the largest are padded with zeros. */
class MixedLoraLayer extends TunerLayer {
  constructor(
    base: Module,
    acting: Acting,
    /** [adapters, r, inFeatures] */
    private readonly a: Parameter,
    /** [adapters, outFeatures, r] */
    private readonly b: Parameter,
    /** [adapters] */
    private readonly scale: Parameter,
  ) {
    super(base, acting);
  }

  signature(): string {
    return "mixed";
  }

  protected adapted(trace: Trace, x: Tensor): Tensor {
    const result = this.base.forward(trace, x);
    return this.scoped(() => {
      const down = rowwiseProduct(x, takenRows(trace, this.a));
      const scale = takenRows(trace, this.scale);
      const ones: Dim[] = down.shape.slice(1).map(() => 1);
      const scaled = mul(down, reshape(scale, [scale.shape[0] as Dim, ...ones]));
      return add(result, rowwiseProduct(scaled, takenRows(trace, this.b)));
    });
  }
}

const end = ".lora_A.weight";

/** What an adapter may have that banks of A and B between two products do not hold. */
const unmixable: readonly {
  readonly holds: (adapter: MixedAdapter) => boolean;
  readonly what: string;
}[] = [
  // Magnitudes act on the whole output.
  { holds: ({ config }) => (config as LoraConfig).useDora, what: "is a DoRA adapter" },
  { holds: ({ config }) => (config as LoraConfig).loraBias, what: "trains biases beside B (loraBias)" },
  { holds: ({ parameters }) => hasKey(parameters, /\.lora_embedding_A$/), what: "adapts an embedding table" },
  {
    holds: ({ parameters }) => hasKey(parameters, /\.trainable_tokens_delta$/),
    what: "trains rows of an embedding table",
  },
  {
    holds: ({ parameters }) => [...parameters].some(([key, { shape }]) => key.endsWith(end) && shape.length !== 2),
    what: "adapts a convolution",
  },
];

const hasKey = (parameters: MixedAdapter["parameters"], pattern: RegExp): boolean =>
  [...parameters.keys()].some((key) => pattern.test(key));

/** @throws GraftError `unsupported` naming the adapter and what of it cannot be mixed */
function checkMixable(adapters: readonly MixedAdapter[]): void {
  for (const adapter of adapters) {
    const found = unmixable.find(({ holds }) => holds(adapter));
    if (!found) continue;
    throw new GraftError(
      "unsupported",
      `rows cannot choose the adapter ${adapter.name}: it ${found.what}`,
      "Let it act alone, one batch at a time.",
    );
  }
}

/** @throws GraftError `unsupported` for DoRA, trained biases, and what is no linear layer */
export function mixLora(host: MixHost, adapters: readonly MixedAdapter[]): void {
  checkMixable(adapters);
  const keys = new Set(adapters.flatMap(({ parameters }) => [...parameters.keys()].filter((key) => key.endsWith(end))));
  for (const key of keys) {
    const path = key.slice(0, -end.length);
    const module = host.network.find(path) as Module;
    const rank = `rank(${path})bank`;
    const [, inFeatures] = adapters.find(({ parameters }) => parameters.has(key))?.parameters.get(key)?.shape ?? [];
    const other = `${path}.lora_B.weight`;
    const [outFeatures] = adapters.find(({ parameters }) => parameters.has(other))?.parameters.get(other)?.shape ?? [];
    const a = host.bank(key, [rank, inFeatures as number]);
    const b = host.bank(other, [outFeatures as number, rank]);
    const scale = host.bank(`${path}.lora_scaling`, []);
    host.wrap(module, (base) => new MixedLoraLayer(base, host.acting, a, b, scale));
  }
}
