import type { ChatTemplateOptions } from "../chat/render-chat.js";
import type { Encoding } from "./padding.js";

/** Options of `applyChatTemplate`. */
export interface ApplyChatTemplateOptions extends ChatTemplateOptions {
  /** Default true; false gives the text. */
  readonly tokenize?: boolean;
  /** Cuts at `maxLength`. Default false. */
  readonly truncation?: boolean;
  /** Default: the tokenizer's `modelMaxLength`. */
  readonly maxLength?: number;
  /** Marks the tokens of what stands in the template's `{% generation %}` blocks. Default false. */
  readonly returnAssistantTokensMask?: boolean;
}

/** A chat in tokens. */
export interface ChatEncoding extends Encoding {
  /** 1 for tokens that the model is to write; with `returnAssistantTokensMask`. */
  readonly assistantMasks?: Int32Array;
}
