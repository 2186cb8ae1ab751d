import { GraftError } from "../../../errors.js";
import { Parameter } from "../../../nn/index.js";
import { toFloat32 } from "../../../tensor-data.js";
import type { AdaLoraLayer } from "./layer.js";

/** The slices of a matrix along an axis that are left. */
function cut(parameter: Parameter, axis: 0 | 1, left: readonly boolean[]): Parameter {
  const [rows, columns] = parameter.shape as [number, number];
  const { source } = parameter;
  if (source.kind !== "memory") {
    throw new GraftError(
      "missing-tensor",
      `parameter ${parameter.name} has a shape but no elements`,
      "Load the adapter with its weights, or initialise it.",
    );
  }
  const count = left.filter(Boolean).length;
  const shape = axis === 0 ? [count, columns] : [rows, count];
  const elements = toFloat32(source.data);
  const data = elements.filter((_, index) => left[axis === 0 ? Math.floor(index / columns) : index % columns]);
  const result = new Parameter(shape);
  result.name = parameter.name;
  result.setData({ dtype: "float32", shape, data });
  return result;
}

/** The tensors of an adapter's file by key: those of the triplets that are left. */
export function prunedTensors(
  layers: readonly AdaLoraLayer[],
  pattern: ReadonlyMap<AdaLoraLayer, boolean[]> | null,
): ReadonlyMap<string, Parameter> {
  return new Map(
    layers.flatMap((layer) => {
      const left = pattern?.get(layer);
      return layer.keyed().map(([key, parameter]): [string, Parameter] => {
        const kept = left ? cut(parameter, parameter === layer.b ? 1 : 0, left) : parameter;
        return [key, kept];
      });
    }),
  );
}
