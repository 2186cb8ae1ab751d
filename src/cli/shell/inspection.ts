import type { LayerNorm } from "../../runs/inspect/adapter-norms.js";
import type { TensorLine } from "../../runs/inspect/weights.js";
import { bytesPerElement } from "../../tensor-data.js";
import { formatBytes, formatCount } from "./format.js";
import { renderTable } from "./table.js";

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Elements and bytes of some tensors. */
export function totals(tensors: readonly TensorLine[]): {
  readonly count: number;
  readonly elements: number;
  readonly bytes: number;
} {
  return {
    count: tensors.length,
    elements: tensors.reduce((sum, { shape }) => sum + elements(shape), 0),
    bytes: tensors.reduce((sum, { dtype, shape }) => sum + elements(shape) * bytesPerElement(dtype), 0),
  };
}

/** A table of tensors; beyond `most` rows it ends with how many there are. */
export function tensorTable(tensors: readonly TensorLine[], most: number): string {
  const columns = [
    { title: "tensor" },
    { title: "dtype" },
    { title: "shape" },
    { title: "elements", align: "right" },
    { title: "size", align: "right" },
  ] as const;
  const rows = tensors.slice(0, most).map(({ name, dtype, shape }) => {
    const count = elements(shape);
    return [name, dtype, `[${shape.join(", ")}]`, formatCount(count), formatBytes(count * bytesPerElement(dtype))];
  });
  const all = totals(tensors);
  const rest = tensors.length - rows.length;
  const more = rest > 0 ? `... and ${formatCount(rest)} more (--all shows them)\n` : "";
  const sum = `${formatCount(all.count)} tensors, ${formatCount(all.elements)} elements, ${formatBytes(all.bytes)}`;
  return `${renderTable(columns, rows)}\n${more}${sum}`;
}

const shownNorm = (norm: number | undefined): string => (norm === undefined ? "" : norm.toPrecision(4));

/** A table of an adapter's norms, a row for each layer. */
export function normTable(layers: readonly LayerNorm[]): string {
  const hasUpdates = layers.some(({ updateNorm }) => updateNorm !== undefined);
  const columns = [
    { title: "layer", align: "right" },
    { title: "tensors", align: "right" },
    { title: "parameters", align: "right" },
    { title: "norm", align: "right" },
    ...(hasUpdates ? [{ title: "norm of B A", align: "right" } as const] : []),
  ] as const;
  const rows = layers.map(({ layer, tensors, parameters, norm, updateNorm }) => [
    layer === null ? "none" : String(layer),
    formatCount(tensors),
    formatCount(parameters),
    shownNorm(norm),
    ...(hasUpdates ? [shownNorm(updateNorm)] : []),
  ]);
  return renderTable(columns, rows);
}
