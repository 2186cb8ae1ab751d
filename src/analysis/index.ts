export { type AdapterUpdate, updatesOfFolder, updatesOfModel } from "./adapter-updates.js";
export type { Amplification } from "./amplification.js";
export {
  type AnalysisOptions,
  analyzeUpdates,
  compareUpdates,
  type LayerAnalysis,
  type LayerSimilarity,
} from "./analyze.js";
export { type Estimate, type EstimateOptions, estimateStep } from "./estimate/estimate.js";
export { type Claim, gpt3Claims } from "./estimate/gpt3.js";
export { type CountedCell, countPaper, saysTheSame } from "./paper/counts.js";
export { type Counting, countWalkthrough, walkthroughLine } from "./paper/walkthrough.js";
export { type AnalysisReport, analysisJson, analysisMarkdown } from "./report.js";
export { analysisPage } from "./report-page.js";
export { rankThatKeeps, type Spectrum, spectrumOf } from "./spectrum.js";
export { type Grid, grassmannDistance, randomDirections, subspaceSimilarity } from "./subspaces.js";
export { decomposeUpdate, directionsOfA, type LowRankUpdate } from "./update.js";
