import { heatLegend, heatMap, type LineChart, lineChart, type Part, page, type Series } from "../figures/index.js";
import type { LayerAnalysis, LayerSimilarity } from "./analyze.js";
import { type AnalysisReport, amplificationRows, layerRows, mostMoved, similarityRows } from "./report.js";

/** Layers by the name of their matrix: a line of a chart, or a row of small ones. */
function byMatrix<T extends { readonly matrix: string }>(layers: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const layer of layers) groups.set(layer.matrix, [...(groups.get(layer.matrix) ?? []), layer]);
  return groups;
}

function acrossDepth(layers: readonly LayerAnalysis[], value: (layer: LayerAnalysis) => number): Series[] {
  return [...byMatrix(layers)].map(([name, group]) => ({
    name,
    points: group.map((layer, index) => [layer.depth ?? index, value(layer)] as const),
  }));
}

function overview(layers: readonly LayerAnalysis[]): Part {
  const hasBase = layers.every(({ amplification }) => amplification !== null);
  const charts: LineChart[] = [
    {
      title: hasBase ? "How far the weights moved" : "Norm of the updates",
      yLabel: hasBase ? "% of W's norm" : "Frobenius norm",
      xLabel: "block",
      series: acrossDepth(layers, ({ spectrum, amplification }) =>
        amplification ? (100 * spectrum.frobeniusNorm) / amplification.weightNorm : spectrum.frobeniusNorm,
      ),
    },
    {
      title: "Effective rank of the updates",
      yLabel: "",
      xLabel: "block",
      series: acrossDepth(layers, ({ spectrum }) => spectrum.effectiveRank),
    },
    ...(hasBase
      ? [
          {
            title: "Amplification factor",
            yLabel: "",
            xLabel: "block",
            series: acrossDepth(layers, ({ amplification }) => amplification?.factor ?? Number.NaN),
          },
        ]
      : []),
  ];
  const most = mostMoved(layers).slice(0, 3);
  return {
    heading: "The updates, block by block",
    text: `Moved most: ${most.map(({ layer }) => layer).join(", ")}.`,
    figures: charts.map(lineChart),
    table: layerRows(layers),
  };
}

function spectra(layers: readonly LayerAnalysis[]): Part {
  const figures = [...byMatrix(layers)].flatMap(([matrix, group]) => {
    // A few blocks tell the story; a line for each would be a tangle.
    const step = Math.max(1, Math.ceil(group.length / 5));
    const some = group.filter((_, index) => index % step === 0 || index === group.length - 1);
    return lineChart({
      title: `${matrix}: singular values of dW`,
      xLabel: "index",
      yLabel: "",
      isLog: true,
      series: some.map(({ depth, layer, spectrum: { singularValues } }) => ({
        name: depth === null ? layer : `block ${depth}`,
        points: singularValues.map((value, index) => [index + 1, value] as const),
      })),
    });
  });
  return {
    heading: "Spectra",
    text: "Where the curve falls steeply, a smaller rank would have done: the table above says which.",
    figures,
  };
}

function similarityParts(similarities: readonly LayerSimilarity[], against: string): Part[] {
  if (similarities.length === 0) return [];
  const map = (title: string, values: LayerSimilarity["similarity"]): string =>
    heatMap({ title, values, xLabel: "j, directions of the other adapter", yLabel: "i" });
  const maps = similarities.map(({ matrix, depth, layer, similarity }) =>
    map(depth === null ? layer : `${matrix}, block ${depth}`, similarity),
  );
  const control = similarities[0];
  return [
    {
      heading: `Subspace similarity with ${against}`,
      text: "phi(i, j): how much of the first i directions of this adapter's A lies among the first j of the other's; 1 is all of it. The last picture is the control, two random matrices of the same sizes. (Figures 3 and 4 of the LoRA paper.)",
      figures: [heatLegend("phi"), ...maps, ...(control ? [map("random control", control.random)] : [])],
      table: similarityRows(similarities),
    },
  ];
}

/** The report as a page of its own, with figures. */
export function analysisPage({ adapter, base, against, layers, similarities }: AnalysisReport): string {
  const table7 = amplificationRows(layers);
  return page(
    `What ${adapter} learned`,
    base === null ? "The base model was not at hand: nothing is said of its weights." : `On the base model ${base}.`,
    [
      overview(layers),
      spectra(layers),
      ...(table7.rows.length > 0
        ? [
            {
              heading: "Against the weights",
              text: "The norm of U^T W V^T with the singular directions of dW, of W, and with random ones; the amplification factor is dW's norm by the first of them. (Table 7 of the LoRA paper.)",
              table: table7,
            },
          ]
        : []),
      ...similarityParts(similarities, against ?? "the other adapter"),
    ],
  );
}
