export type { GenerateControl } from "./control.js";
export type { GenerativeModel } from "./decoder-state.js";
export { type GenerateOutput, generate, generateStream } from "./generate.js";
export type { GenerationConfig, GenerationOptions } from "./options.js";
export type { GenerationInputs } from "./prompts.js";
export { type GeneratedText, type TextGenerationOptions, TextGenerator } from "./text-generator.js";
