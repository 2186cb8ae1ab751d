import type { FrozenProducts } from "../../compile/index.js";
import { int8Lowering, int8ProbeLowering, type ProductMeasurement, type WeightType } from "../../onnx/index.js";
import { FrozenWeights, type OutliersByProduct } from "./weights.js";

export interface Int8Options extends Pick<FrozenProducts, "onProgress"> {
  /** Products that stay float32, by the names of the probe's report. Default: none. */
  readonly keepFloat32?: ReadonlySet<string>;
  /** Large features of the left operands, by product. Default: none. */
  readonly outliers?: OutliersByProduct;
  /** What the CPU multiplies exactly. Default "int8". */
  readonly weightType?: WeightType;
}

/** Frozen weights are kept and multiplied in int8: see `int8Lowering`. */
export function int8Products({ keepFloat32, outliers, weightType, onProgress }: Int8Options = {}): FrozenProducts {
  return {
    key: "int8",
    onProgress,
    lowering(base) {
      const weights = new FrozenWeights(keepFloat32, outliers, weightType);
      return {
        table: int8Lowering(base, weights),
        get weights() {
          return weights.quantized;
        },
      };
    },
  };
}

/** Products in float32, with what int8 would get wrong measured on the way. */
export const int8Probe: FrozenProducts = {
  key: "int8-probe",
  lowering(base) {
    const probes: ProductMeasurement[] = [];
    return { table: int8ProbeLowering(base, new FrozenWeights(), (probe) => probes.push(probe)), probes };
  },
};
