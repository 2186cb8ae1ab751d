export type { AnyModel, PipelineOptions } from "./open.js";
export {
  type ClassificationCall,
  type ClassificationResult,
  type Pipeline,
  type Pipelines,
  type PipelineTask,
  pipeline,
  type TextGenerationCall,
  type TextGenerationResult,
  type TokenClassificationCall,
  type TokenClassificationResult,
} from "./pipeline.js";
