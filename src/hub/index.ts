export { companionFiles, copyCompanions } from "./companions.js";
export { type ModelFileName, modelFileNames } from "./file-names.js";
export { readJsonObject, writeJson } from "./json-file.js";
export type { ModelFiles } from "./model-files.js";
export { outputPath, subfolder } from "./output.js";
export { type HubOptions, type HubProgress, onHubProgress } from "./remote/settings.js";
export { type FilesKind, holds, isOfHub, resolveFiles } from "./resolve.js";
export { openWeights, openWeightsFile } from "./weights.js";
