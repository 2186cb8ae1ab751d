import type { LayerAnalysis, LayerSimilarity } from "./analyze.js";

/** Everything that is known of an adapter. */
export interface AnalysisReport {
  readonly adapter: string;
  /** null where the base model was not at hand. */
  readonly base: string | null;
  /** The adapter that it was compared with. */
  readonly against: string | null;
  readonly layers: readonly LayerAnalysis[];
  readonly similarities: readonly LayerSimilarity[];
}

const short = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "-");

/** The layers whose weights moved most: by the update's norm against the weight's where that is known. */
export function mostMoved(layers: readonly LayerAnalysis[]): LayerAnalysis[] {
  const moved = ({ amplification: against, spectrum }: LayerAnalysis): number =>
    spectrum.frobeniusNorm / (against?.weightNorm ?? 1);
  return [...layers].sort((one, other) => moved(other) - moved(one));
}

/** One line a layer that says what rank would have done. */
export function advice({ layer, rank, rankThatKeeps }: LayerAnalysis): string {
  const kept = rankThatKeeps.map(({ share, rank: enough }) => `rank ${enough} keeps ${short(100 * share)} %`);
  return `${layer} (rank ${rank}): ${kept.join(", ")} of the norm`;
}

/** The rows of the table of layers: names first, then numbers. */
export function layerRows(layers: readonly LayerAnalysis[]): { readonly head: string[]; readonly rows: string[][] } {
  const hasBase = layers.some(({ amplification }) => amplification !== null);
  const shares = layers[0]?.rankThatKeeps.map(({ share }) => `rank for ${short(100 * share)} %`) ?? [];
  return {
    head: ["layer", "rank", "norm", ...(hasBase ? ["of W's norm"] : []), "effective rank", "stable rank", ...shares],
    rows: layers.map(({ layer, rank, spectrum, rankThatKeeps, amplification }) => [
      layer,
      String(rank),
      short(spectrum.frobeniusNorm),
      ...(hasBase
        ? [amplification ? `${short((100 * amplification.updateNorm) / amplification.weightNorm)} %` : "-"]
        : []),
      short(spectrum.effectiveRank),
      short(spectrum.stableRank),
      ...rankThatKeeps.map((kept) => String(kept.rank)),
    ]),
  };
}

/** The rows of the paper's table 7. */
export function amplificationRows(layers: readonly LayerAnalysis[]): {
  readonly head: string[];
  readonly rows: string[][];
} {
  return {
    head: ["layer", "r", "norm of W", "norm of dW", "in dW's directions", "in W's", "in random ones", "amplification"],
    rows: layers.flatMap(({ layer, amplification: one }) =>
      one === null
        ? []
        : [
            [
              layer,
              String(one.rank),
              short(one.weightNorm),
              short(one.updateNorm),
              short(one.projections.update),
              short(one.projections.weight),
              short(one.projections.random),
              short(one.factor),
            ],
          ],
    ),
  };
}

/** The first directions of both adapters, by layer. */
export function similarityRows(similarities: readonly LayerSimilarity[]): {
  readonly head: string[];
  readonly rows: string[][];
} {
  return {
    head: ["layer", "phi(1, 1)", "phi(1, all)", "phi(all, all)", "random, phi(1, all)", "distance (all, all)"],
    rows: similarities.map(({ layer, similarity, random, distance }) => [
      layer,
      short(similarity[0]?.[0] ?? Number.NaN),
      short(similarity[0]?.at(-1) ?? Number.NaN),
      short(similarity.at(-1)?.at(-1) ?? Number.NaN),
      short(random[0]?.at(-1) ?? Number.NaN),
      short(distance.at(-1)?.at(-1) ?? Number.NaN),
    ]),
  };
}

const markdownTable = ({ head, rows }: { readonly head: string[]; readonly rows: string[][] }): string =>
  [head, head.map((_, column) => (column === 0 ? "---" : "---:")), ...rows]
    .map((row) => `| ${row.join(" | ")} |`)
    .join("\n");

/** The report as Markdown. */
export function analysisMarkdown({ adapter, base, against, layers, similarities }: AnalysisReport): string {
  const table7 = amplificationRows(layers);
  return [
    `# What ${adapter} learned`,
    base === null ? "The base model was not at hand: nothing is said of its weights." : `Base model: ${base}.`,
    "## The updates",
    markdownTable(layerRows(layers)),
    "## Ranks that would do",
    layers.map((layer) => `- ${advice(layer)}`).join("\n"),
    ...(table7.rows.length > 0 ? ["## Against the weights (table 7 of the LoRA paper)", markdownTable(table7)] : []),
    ...(similarities.length > 0
      ? [`## Against ${against} (figures 3 and 4 of the LoRA paper)`, markdownTable(similarityRows(similarities))]
      : []),
    "",
  ].join("\n\n");
}

/** The report as JSON. */
export const analysisJson = (report: AnalysisReport): string => `${JSON.stringify(report, null, 2)}\n`;
