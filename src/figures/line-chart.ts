import { scaleLinear, scaleLog } from "d3-scale";
import { element, label, picture } from "./svg.js";

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  readonly title: string;
  readonly series: readonly Series[];
  readonly xLabel: string;
  readonly yLabel: string;
  /** Powers of ten up the side. Default false: from 0. Points that are not above 0 are left out of it. */
  readonly isLog?: boolean;
}

const width = 340;
const height = 220;
const margin = { top: 34, right: 12, bottom: 36, left: 46 };

/** Series are told apart by colour and by name; more than there are colours repeat them, dashed. */
const COLOURS = 6;

/** Lines with a mark at each point, names below. */
export function lineChart({ title, series, xLabel, yLabel, isLog = false }: LineChart): string {
  const kept = series.map((one) => ({
    ...one,
    points: one.points.filter(([, y]) => Number.isFinite(y) && (!isLog || y > 0)),
  }));
  const all = kept.flatMap(({ points }) => points);
  const xs = all.map(([x]) => x);
  const ys = all.map(([, y]) => y);
  const xRange = [margin.left, width - margin.right];
  const yRange = [height - margin.bottom, margin.top];
  const [least, most] = [Math.min(...ys), Math.max(...ys)];
  const x = scaleLinear([Math.min(...xs), Math.max(...xs)], xRange);
  const y = isLog
    ? scaleLog([least, most > least ? most : 10 * least], yRange).nice()
    : scaleLinear([Math.min(0, least), most > 0 ? most : 1], yRange).nice();
  const yTicks = isLog ? y.ticks(4).filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-9) : y.ticks(5);
  const shown = yTicks.length >= 2 ? yTicks : y.ticks(4);
  const grid = shown.map(
    (tick) =>
      element("line", { x1: margin.left, x2: width - margin.right, y1: y(tick), y2: y(tick), class: "grid" }) +
      label(
        tick !== 0 && (Math.abs(tick) < 1e-3 || Math.abs(tick) >= 1e5)
          ? tick.toExponential(0)
          : String(Number(tick.toPrecision(3))),
        margin.left - 5,
        y(tick) + 4,
        {
          "text-anchor": "end",
        },
      ),
  );
  const xTicks = x
    .ticks(6)
    .filter(Number.isInteger)
    .map((tick) => label(String(tick), x(tick), height - margin.bottom + 15, { "text-anchor": "middle" }));
  const lines = kept.flatMap(({ points }, index) => {
    const place = points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ");
    const tone = `tone${index % COLOURS}`;
    return [
      element("polyline", {
        points: place,
        class: `line ${tone}`,
        "stroke-dasharray": index >= COLOURS ? "4 3" : undefined,
      }),
      ...points.map(([px, py]) => element("circle", { cx: x(px), cy: y(py), r: 2.2, class: `dot ${tone}` })),
    ];
  });
  const names = kept.map(({ name }, index) => {
    const top = height + 14 + 17 * Math.floor(index / 2);
    const left = margin.left + (index % 2) * 145;
    return (
      element("line", {
        x1: left,
        x2: left + 16,
        y1: top - 4,
        y2: top - 4,
        class: `line tone${index % COLOURS}`,
        "stroke-dasharray": index >= COLOURS ? "4 3" : undefined,
      }) + label(name, left + 21, top)
    );
  });
  return picture(
    width,
    height + 8 + 17 * Math.ceil(kept.length / 2),
    title,
    label(title, 4, 15, { class: "title" }),
    ...grid,
    ...xTicks,
    ...lines,
    label(xLabel, (margin.left + width - margin.right) / 2, height - 5, { "text-anchor": "middle", class: "quiet" }),
    label(yLabel, width - margin.right, 15, { "text-anchor": "end", class: "quiet" }),
    ...names,
  );
}
