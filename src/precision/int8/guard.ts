import type { PreparedInputs, Runner } from "../../models/index.js";
import type { OutlierFeature } from "../../onnx/index.js";
import type { MaskKey } from "../../runtime/index.js";
import { type TensorData, tensorData } from "../../tensor-data.js";
import { probeProducts } from "./probe.js";

/** Products with a larger relative error stay float32. Ordinary products are near 1 %. */
export const largestError = 0.05;

/** Tokens of the first batch that the guard looks at: of a text batch as many rows as hold them, of pictures one. */
const probedTokens = 128;

/** Outliers are set apart where that cuts the product's error to this share of it or less. */
const worthwhile = 0.9;

/**
 * Forward products of the first layer: an error there passes through all others while the residual stream is still short.
 * Products outside the layers: heads and poolers, whose incoming gradients hold few large values among tiny ones.
 */
export type ProductPlace = "first layer" | "outside the layers";

/** The guard's measurement of one product and what it decided. */
export interface ProductDecision {
  /** The weight and the direction: `encoder.layer.0.output.dense.weight (backward)`. */
  readonly product: string;
  /** Relative L2 error of the int8 product on the first batch. */
  readonly error: number;
  readonly keptFloat32: boolean;
  /** Why it stays float32 whatever its error; left out where the error decides. */
  readonly place?: ProductPlace;
  /** Large features of the left operand that are divided by a power of two before rounding; none where left out. */
  readonly outliers?: readonly OutlierFeature[];
}

/**
 * Compares each int8 product with its float32 form on the first rows of a batch: a few rows say as much as a whole
 * batch, and a probe needs both kinds of weights beside its activations.
 */
export async function judgeProducts(runner: Runner, batch: PreparedInputs, masks: MaskKey): Promise<ProductDecision[]> {
  const probes = await probeProducts(runner, firstRows(batch), masks);
  const firstLayer = probes.map(({ product }) => layerOf(product)).find((layer) => layer !== undefined);
  return probes.map(({ product, error, outliers: found }) => {
    const apart = found && found.error <= worthwhile * error ? found : undefined;
    const remaining = apart?.error ?? error;
    const layer = layerOf(product);
    const isFirst = layer === firstLayer && product.endsWith("(forward)");
    const place = layer === undefined ? "outside the layers" : isFirst ? "first layer" : undefined;
    return {
      product,
      error: remaining,
      keptFloat32: place !== undefined || !(remaining <= largestError),
      ...(place && { place }),
      ...(apart && { outliers: apart.features }),
    };
  });
}

/** The path of the layer of a stack that a product belongs to, `encoder.layer.0.`. */
const layerOf = (product: string): string | undefined => /^.*?\.\d+\./.exec(product)?.[0];

function firstRows({ feeds, rules }: PreparedInputs): PreparedInputs {
  const wanted = Math.ceil(probedTokens / (feeds.input_ids?.shape[1] ?? probedTokens));
  const rows = Object.entries(feeds).map(([name, { dtype, shape, data }]): [string, TensorData] => {
    const [batch = 1, ...rest] = shape;
    const kept = Math.min(batch, wanted);
    return [name, tensorData(dtype, [kept, ...rest], data.slice(0, (data.length / batch) * kept))];
  });
  return { feeds: Object.fromEntries(rows), rules };
}
