import { type FrozenPrecisionReport, largestError, type ProductDecision } from "../../precision/index.js";
import { formatCount, formatShare } from "./format.js";
import { type Column, renderTable } from "./table.js";

const columns: readonly Column[] = [
  { title: "frozen product" },
  { title: "error", align: "right" },
  { title: "computed in" },
  { title: "why" },
];

function why({ error, keptFloat32, place, outliers }: ProductDecision): string {
  if (place) return place;
  if (!keptFloat32)
    return `at most ${formatLimit()}${outliers ? `, ${outliers.length} outlier features set apart` : ""}`;
  return error > largestError ? `above ${formatLimit()}` : "int8 gives no finite numbers";
}

const formatLimit = (): string => `${100 * largestError} %`;

const shownError = (error: number | null): string =>
  error !== null && Number.isFinite(error) ? formatShare(error) : "-";

/** Larger errors first; those that are no numbers before them. */
const size = ({ error }: ProductDecision): number => (Number.isFinite(error) ? error : Number.POSITIVE_INFINITY);

/** What was decided, in one line. */
export function precisionSummary({ used, reason, speedup, products }: FrozenPrecisionReport): string {
  if (used === "f32") return reason;
  const inInt8 = products.filter(({ keptFloat32 }) => !keptFloat32).length;
  const pace = speedup === undefined ? "" : ` (a product is ${speedup.toFixed(1)}x as fast)`;
  return `${formatCount(inInt8)} of ${formatCount(products.length)} in int8${pace}`;
}

/**
 * The guard's decisions: every product that stays float32, then those with the largest errors.
 * @param most rows of int8 products; the rest is counted
 * @returns undefined where the guard measured nothing
 */
export function precisionTable(report: FrozenPrecisionReport, most: number): string | undefined {
  const ordered = [...report.products].sort((a, b) => size(b) - size(a));
  if (ordered.length === 0) return undefined;
  const kept = ordered.filter(({ keptFloat32 }) => keptFloat32);
  const inInt8 = ordered.filter(({ keptFloat32 }) => !keptFloat32);
  // Where int8 is not used at all, float32 computes what the guard would have let pass, too.
  const precision = ({ keptFloat32 }: ProductDecision) => (keptFloat32 || report.used === "f32" ? "f32" : "int8");
  const rows = [...kept, ...inInt8.slice(0, most)].map((product) => [
    product.product,
    shownError(product.error),
    precision(product),
    why(product),
  ]);
  const rest = kept.length + inInt8.length - rows.length;
  const more = rest > 0 ? `\n... and ${formatCount(rest)} more with smaller errors (--all shows them)` : "";
  return `${renderTable(columns, rows)}${more}`;
}
