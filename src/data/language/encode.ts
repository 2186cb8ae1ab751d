import { GraftError } from "../../errors.js";
import { ignoredLabel } from "../../problem-type.js";
import { chooseTemplate } from "../chat/choose-template.js";
import type { ChatMessage } from "../chat/messages.js";
import { marksGeneration } from "../chat/template-program.js";
import type { Span } from "../tokenizing/token-places.js";
import type { Tokenizer } from "../tokenizing/tokenizer.js";
import type { LanguageExample } from "./examples.js";

/** What of an example is learnt. */
export interface EncodeLanguageOptions {
  /** Of chats the assistant's turns alone. Default false, as in TRL. */
  readonly assistantOnly?: boolean | undefined;
  /** Of prompts and completions the completions alone. Default true, as in TRL. */
  readonly completionOnly?: boolean | undefined;
  /** A template by its text or name, in place of the tokenizer's. */
  readonly chatTemplate?: string | undefined;
}

/** An example in tokens; `labels` are the ids that are learnt, -100 elsewhere. */
export interface EncodedExample {
  readonly place: string;
  readonly inputIds: Int32Array;
  readonly labels: Int32Array;
  /** Whether it may be cut into pieces without loss of sense: running text. */
  readonly isText: boolean;
}

/** Labels of ids by a mask. */
export const labelsOf = (ids: Int32Array, mask: ArrayLike<number>): Int32Array =>
  ids.map((id, index) => (mask[index] ? id : ignoredLabel));

/** Ids with special tokens around them, and a mask of the text's own tokens spread over them: special ones have `around`. */
function withSpecials(tokenizer: Tokenizer, text: string, mask: Int32Array): { ids: Int32Array; mask: Int32Array } {
  const ids = tokenizer.encode(text, undefined, { truncation: false }).inputIds;
  const bare = tokenizer.encode(text, undefined, { truncation: false, addSpecialTokens: false }).inputIds;
  if (ids.length === bare.length) return { ids, mask };
  let before = 0;
  while (before + bare.length < ids.length && !bare.every((id, index) => ids[before + index] === id)) before++;
  const spread = new Int32Array(ids.length);
  spread.set(mask, before);
  // What the tokenizer puts behind a text ends what is learnt.
  if (mask.at(-1)) spread.fill(1, before + bare.length);
  return { ids, mask: spread };
}

/** The text with the end token that it lacks, as TRL appends it. */
function ended(text: string, { specialTokens: { eos_token: eos } }: Tokenizer): string {
  return eos === undefined || text.endsWith(eos) ? text : text + eos;
}

function encodeText(text: string, tokenizer: Tokenizer): Omit<EncodedExample, "place"> {
  let ids = tokenizer.encode(ended(text, tokenizer), undefined, { truncation: false }).inputIds;
  const { eos_token: eos } = tokenizer.specialTokens;
  // A tokenizer that ends its texts itself would end them twice.
  if (eos !== undefined && ids.at(-1) === ids.at(-2) && ids.at(-1) === tokenizer.idOf(eos)) ids = ids.slice(0, -1);
  return { inputIds: ids, labels: ids.slice(), isText: true };
}

function encodePair(
  prompt: string,
  completion: string,
  tokenizer: Tokenizer,
  { completionOnly = true }: EncodeLanguageOptions,
): Omit<EncodedExample, "place"> {
  if (completion === "") throw new GraftError("invalid-argument", "the completion is empty", "Remove the row.");
  const text = prompt + ended(completion, tokenizer);
  const bare = tokenizer.markTokens(text, [{ start: prompt.length, end: text.length }]);
  const { ids, mask } = withSpecials(tokenizer, text, bare);
  return { inputIds: ids, labels: completionOnly ? labelsOf(ids, mask) : ids.slice(), isText: false };
}

/** Alpaca's own words around an instruction, for models without a chat template. */
function instructionPrompt(instruction: string, input: string): string {
  return input === ""
    ? `Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n${instruction}\n\n### Response:\n`
    : `Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\n${instruction}\n\n### Input:\n${input}\n\n### Response:\n`;
}

/** The assistant's turns of a chat by prefixes: what a turn adds to the text that asks for it. */
function turnsByPrefixes(
  messages: readonly ChatMessage[],
  text: string,
  render: (messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string,
): Span[] {
  return messages.flatMap((message, index) => {
    if (message.role !== "assistant") return [];
    const upTo = messages.slice(0, index + 1);
    const prompt = render(messages.slice(0, index), true);
    const whole = index === messages.length - 1 ? text : render(upTo, false);
    if (whole.startsWith(prompt) && text.startsWith(whole)) return [{ start: prompt.length, end: whole.length }];
    throw new GraftError(
      "unsupported",
      `the template writes what comes before the assistant's turn ${index + 1} in another way once the chat goes on, so that its tokens cannot be told from prefixes`,
      "Put {% generation %} and {% endgeneration %} around the assistant's words in the template, cut the chats to one answer each, or train on whole chats (assistantOnly false).",
    );
  });
}

function encodeChat(
  messages: readonly ChatMessage[],
  tools: readonly Readonly<Record<string, unknown>>[] | undefined,
  tokenizer: Tokenizer,
  { assistantOnly = false, chatTemplate }: EncodeLanguageOptions,
): Omit<EncodedExample, "place"> {
  if (!messages.some(({ role }) => role === "assistant")) {
    throw new GraftError(
      "invalid-argument",
      `the chat has no assistant's turn (it has ${messages.map(({ role }) => role).join(", ")})`,
      "Add the answer that is to be learnt, or remove the row.",
    );
  }
  const options = { ...(chatTemplate !== undefined && { chatTemplate }), tools };
  const render = (some: readonly ChatMessage[], addGenerationPrompt: boolean): string =>
    tokenizer.applyChatTemplate(some, { ...options, addGenerationPrompt, tokenize: false });
  const template = chooseTemplate(tokenizer.chatTemplates, chatTemplate, tools !== undefined);
  if (assistantOnly && marksGeneration(template)) {
    const { inputIds, assistantMasks = [] } = tokenizer.applyChatTemplate(messages, {
      ...options,
      returnAssistantTokensMask: true,
    });
    return { inputIds, labels: labelsOf(inputIds, assistantMasks), isText: false };
  }
  const text = render(messages, false);
  const { inputIds } = tokenizer.encode(text, undefined, { addSpecialTokens: false, truncation: false });
  if (!assistantOnly) return { inputIds, labels: inputIds.slice(), isText: false };
  const mask = tokenizer.markTokens(text, turnsByPrefixes(messages, text, render));
  return { inputIds, labels: labelsOf(inputIds, mask), isText: false };
}

function encodeUnnamed(
  example: LanguageExample,
  tokenizer: Tokenizer,
  options: EncodeLanguageOptions,
): Omit<EncodedExample, "place"> {
  if ("text" in example) return encodeText(example.text, tokenizer);
  if ("prompt" in example) return encodePair(example.prompt, example.completion, tokenizer, options);
  if ("messages" in example) return encodeChat(example.messages, example.tools, tokenizer, options);
  const { instruction, input, output } = example;
  const hasTemplate = options.chatTemplate !== undefined || Object.keys(tokenizer.chatTemplates).length > 0;
  if (!hasTemplate) return encodePair(instructionPrompt(instruction, input), output, tokenizer, options);
  const messages = [
    { role: "user", content: input === "" ? instruction : `${instruction}\n\n${input}` },
    { role: "assistant", content: output },
  ];
  return encodeChat(messages, undefined, tokenizer, options);
}

/**
 * An example in tokens, with what of it is learnt. Texts and completions end with the tokenizer's end token, where it has
 * one; chats as their template ends them.
 * @throws GraftError with the example's place, for chats without an assistant's turn, without a template, or with one that
 *   refuses them, for empty texts, and where it cannot be told which tokens are answers
 */
export function encodeLanguageExample(
  example: LanguageExample,
  tokenizer: Tokenizer,
  options: EncodeLanguageOptions = {},
): EncodedExample {
  const { place } = example;
  let encoded: Omit<EncodedExample, "place">;
  try {
    encoded = encodeUnnamed(example, tokenizer, options);
  } catch (error) {
    if (!(error instanceof GraftError)) throw error;
    throw new GraftError(error.code, `${place}: ${error.message}`, error.hint, { cause: error });
  }
  const isEmpty = encoded.inputIds.length < 2 || !encoded.labels.some((label, i) => i > 0 && label !== ignoredLabel);
  if (!isEmpty) return { place, ...encoded };
  throw new GraftError(
    "invalid-argument",
    `${place}: nothing can be learnt from ${encoded.inputIds.length} tokens, none of which is predicted from another`,
    "Remove the row, or give it a text.",
  );
}
