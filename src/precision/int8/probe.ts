import { float32Products, measuredOutputs } from "../../compile/index.js";
import type { PreparedInputs, Runner } from "../../models/index.js";
import { type OutlierFeature, outlierFeatures } from "../../onnx/index.js";
import type { MaskKey } from "../../runtime/index.js";
import type { TensorData } from "../../tensor-data.js";
import { int8Probe } from "./products.js";

/** What a probe found out about one product with a frozen weight. */
export interface ProductProbe {
  readonly product: string;
  /** Relative L2 error of the int8 product. */
  readonly error: number;
  /** Forward products whose left operand has features far above the others. */
  readonly outliers?: {
    readonly features: readonly OutlierFeature[];
    /** The error with those set apart. */
    readonly error: number;
  };
}

/**
 * Runs one training pass in float32 and compares each product with a frozen weight with its int8 form.
 * @param masks key of the dropout masks
 * @returns empty where nothing of some size is frozen
 */
export async function probeProducts(
  runner: Runner,
  { feeds, rules }: PreparedInputs,
  masks: MaskKey,
): Promise<ProductProbe[]> {
  await runner.setFrozenProducts(int8Probe);
  try {
    const program = await runner.trainingProgram(rules);
    const { probes } = program.program;
    const fetch = measuredOutputs(probes);
    const measured = fetch.length > 0 ? await program.run(feeds, { masks, fetch }) : {};
    const numbers = (output: string) => (measured[output] as TensorData<"float32">).data;
    return probes.map(({ product, error, outliers }) => {
      const features = outliers ? outlierFeatures(numbers(outliers.featureSquares)) : [];
      const apart =
        outliers && features.length > 0 ? { features, error: Number(numbers(outliers.error)[0]) } : undefined;
      return { product, error: Number(numbers(error)[0]), ...(apart && { outliers: apart }) };
    });
  } finally {
    await runner.setFrozenProducts(float32Products);
  }
}
