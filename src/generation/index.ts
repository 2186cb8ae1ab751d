export type { GenerativeModel } from "./decoder-state.js";
export { type GenerateControl, type GenerateOutput, generate, generateStream } from "./generate.js";
export type { GenerationConfig, GenerationOptions } from "./options.js";
export type { GenerationInputs } from "./prompts.js";
