export { companionFiles, copyCompanions } from "./companions.js";
export { type ModelFileName, modelFileNames } from "./file-names.js";
export { readJsonObject, writeJson } from "./json-file.js";
export { isPointer, pointerRefused } from "./lfs-pointer.js";
export { type ModelFiles, refusePointer } from "./model-files.js";
export { outputPath, subfolder } from "./output.js";
export { type FilesKind, holds, resolveFiles } from "./resolve.js";
export { hasCheckpoint, openWeights, openWeightsFile } from "./weights.js";
