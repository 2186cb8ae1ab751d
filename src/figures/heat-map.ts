import { scaleBand, scaleLinear } from "d3-scale";
import { interpolateViridis } from "d3-scale-chromatic";
import { element, label, picture } from "./svg.js";

export interface HeatMap {
  readonly title: string;
  /** Rows from the top, each from the left; from 0 to 1. */
  readonly values: readonly (readonly number[])[];
  readonly xLabel: string;
  readonly yLabel: string;
}

const width = 340;
const height = 190;
const margin = { top: 26, right: 10, bottom: 34, left: 40 };

/** Numbers that are written beside an axis of that many cells: the first, the last and some between. */
function ticks(count: number): number[] {
  const some = scaleLinear([1, count], [0, 1]).ticks(Math.min(count, 6)).filter(Number.isInteger);
  return [...new Set([1, ...some.filter((tick) => tick < count - count / 12), count])];
}

/** Cells in colours of equal steps to the eye, also to those who see few colours: dark is 0, yellow is 1. */
export function heatMap({ title, values, xLabel, yLabel }: HeatMap): string {
  const columns = values[0]?.length ?? 0;
  const x = scaleBand([...Array(columns).keys()], [margin.left, width - margin.right]);
  const y = scaleBand([...values.keys()], [margin.top, height - margin.bottom]);
  const cells = values.flatMap((row, i) =>
    row.map((value, j) =>
      element("rect", {
        x: x(j),
        y: y(i),
        // Cells overlap by a hair, so that no lines show between them.
        width: x.bandwidth() + 0.4,
        height: y.bandwidth() + 0.4,
        fill: interpolateViridis(Math.min(1, Math.max(0, value))),
        "shape-rendering": "crispEdges",
      }),
    ),
  );
  const xTicks = ticks(columns).map((tick) =>
    label(String(tick), (x(tick - 1) ?? 0) + x.bandwidth() / 2, height - margin.bottom + 14, {
      "text-anchor": "middle",
    }),
  );
  const yTicks = ticks(values.length).map((tick) =>
    label(String(tick), margin.left - 5, (y(tick - 1) ?? 0) + y.bandwidth() / 2 + 4, { "text-anchor": "end" }),
  );
  return picture(
    width,
    height,
    title,
    label(title, margin.left, 15, { class: "title" }),
    ...cells,
    ...xTicks,
    ...yTicks,
    label(xLabel, (margin.left + width - margin.right) / 2, height - 4, { "text-anchor": "middle", class: "quiet" }),
    label(yLabel, 10, (margin.top + height - margin.bottom) / 2 + 4, { "text-anchor": "middle", class: "quiet" }),
  );
}

/** What the colours of heat maps mean, from 0 to 1. */
export function heatLegend(title: string): string {
  const steps = 50;
  const cells = Array.from({ length: steps }, (_, step) =>
    element("rect", { x: 40 + 4 * step, y: 22, width: 4.4, height: 10, fill: interpolateViridis(step / (steps - 1)) }),
  );
  const numbers = [0, 0.25, 0.5, 0.75, 1].map((value) =>
    label(String(value), 40 + 200 * value, 45, { "text-anchor": "middle" }),
  );
  return picture(280, 50, title, label(title, 40, 15, { class: "quiet" }), ...cells, ...numbers);
}
