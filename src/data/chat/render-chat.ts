import { GraftError } from "../../errors.js";
import type { Span } from "../tokenizing/token-places.js";
import type { ChatMessage } from "./messages.js";
import { requireMessages } from "./messages.js";
import {
  GENERATION_END,
  GENERATION_START,
  marksGeneration,
  readTemplate,
  type TemplateProgram,
} from "./template-program.js";

/** What a chat template is told beside the messages, by transformers' names. */
export interface ChatTemplateOptions {
  /** A template by its text, or by its name where the tokenizer has several. */
  readonly chatTemplate?: string;
  /** JSON schemas of functions that the model may call. Default: none. */
  readonly tools?: readonly Readonly<Record<string, unknown>>[] | undefined;
  readonly documents?: readonly Readonly<Record<string, unknown>>[] | undefined;
  /** Ends with what makes the model answer. Default false. */
  readonly addGenerationPrompt?: boolean;
  /** Leaves the last message open, so that the model goes on with it: true, or the key of the text to go on with. Default false. */
  readonly continueFinalMessage?: boolean | string;
  /** More variables of the template ("enable_thinking"). They win over the tokenizer's special tokens. */
  readonly templateKwargs?: Readonly<Record<string, unknown>>;
}

/** A chat as a text. */
export interface RenderedChat {
  readonly text: string;
  /** What the template marks as the model's to write. */
  readonly generated: readonly Span[];
}

const programs = new Map<string, TemplateProgram>();

function programOf(source: string): TemplateProgram {
  let program = programs.get(source);
  if (program === undefined) {
    program = readTemplate(source);
    programs.set(source, program);
  }
  return program;
}

const CONTINUE = "CONTINUE_FINAL_MESSAGE_TAG ";

function cannotContinue(message: string): GraftError {
  return new GraftError(
    "invalid-argument",
    `continueFinalMessage: ${message}`,
    "Give a last message with the text to go on with, and a template that keeps it.",
  );
}

/** The messages with a tag behind the text that is to be gone on with, and that text. */
function tagged(messages: readonly ChatMessage[], key: string): { messages: ChatMessage[]; text: string } {
  const last = messages.at(-1)!;
  const content = last[key];
  const rest = messages.slice(0, -1);
  if (typeof content === "string") {
    return { messages: [...rest, { ...last, [key]: content + CONTINUE }], text: content };
  }
  if (!Array.isArray(content)) throw cannotContinue(`the last message has no ${key}`);
  const parts = content as Readonly<Record<string, unknown>>[];
  const at = parts.findLastIndex(({ text }) => typeof text === "string");
  if (at < 0) throw cannotContinue("the last message has no text");
  const text = String(parts[at]!.text);
  const changed = parts.map((part, index) => (index === at ? { ...part, text: text + CONTINUE } : part));
  return { messages: [...rest, { ...last, [key]: changed }], text };
}

/** The text up to the tag. */
function untagged(rendered: string, text: string): string {
  const at = rendered.lastIndexOf(CONTINUE.trim());
  if (at < 0 || !rendered.includes(text.trim())) {
    throw cannotContinue("the template does not show the last message as it is");
  }
  // Where the template trims, the message's own last blanks are trimmed with it.
  return rendered.startsWith(CONTINUE, at) ? rendered.slice(0, at) : rendered.slice(0, at).trimEnd();
}

/** Takes the generation marks out of a text and says where they stood; marks within marks are parts of the outer ones. */
function unmarked(marked: string): RenderedChat {
  const generated: Span[] = [];
  let [text, start, depth] = ["", 0, 0];
  for (const part of marked.split(/([\ufdd0\ufdd1])/)) {
    if (part === GENERATION_START) {
      if (depth++ === 0) start = text.length;
    } else if (part === GENERATION_END) {
      if (--depth === 0 && text.length > start) generated.push({ start, end: text.length });
    } else text += part;
  }
  return { text, generated };
}

/**
 * Fills in a chat template as transformers' `apply_chat_template` does.
 * @param variables special tokens by their names in files
 * @throws GraftError `invalid-argument` for messages that are none or that the template refuses, `invalid-tokenizer` for a
 *   template that cannot be read, `unsupported` for one that asks for what is not there
 */
export function renderChat(
  template: string,
  messages: readonly ChatMessage[],
  variables: Readonly<Record<string, unknown>>,
  options: ChatTemplateOptions,
): RenderedChat {
  requireMessages(messages);
  const { tools, documents, addGenerationPrompt = false, continueFinalMessage = false, templateKwargs } = options;
  if (continueFinalMessage !== false && addGenerationPrompt) {
    throw new GraftError(
      "invalid-argument",
      "continueFinalMessage and addGenerationPrompt exclude each other",
      "Take continueFinalMessage to go on with the last message, addGenerationPrompt to begin an answer.",
    );
  }
  const marks = [...GENERATION_START, ...GENERATION_END];
  if (marksGeneration(template) && marks.some((mark) => JSON.stringify(messages).includes(mark))) {
    throw new GraftError(
      "invalid-argument",
      "a message holds U+FDD0 or U+FDD1, which Unicode gives to no character",
      "Take them out of the text.",
    );
  }
  const open =
    continueFinalMessage === false
      ? undefined
      : tagged(messages, continueFinalMessage === true ? "content" : continueFinalMessage);
  const marked = programOf(template).render({
    ...variables,
    ...templateKwargs,
    messages: open?.messages ?? messages,
    tools: tools ?? null,
    documents: documents ?? null,
    add_generation_prompt: addGenerationPrompt,
  });
  const rendered = unmarked(marked);
  return open === undefined ? rendered : { text: untagged(rendered.text, open.text), generated: [] };
}
