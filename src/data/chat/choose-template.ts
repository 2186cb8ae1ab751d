import { GraftError } from "../../errors.js";
import { isJsonObject, type JsonObject } from "../../json.js";

/** Chat templates by their names; a single one is called "default". */
export type ChatTemplates = Readonly<Record<string, string>>;

/**
 * The chat templates of a tokenizer: files count before `chat_template` of tokenizer_config.json, as in transformers.
 * @param files texts of chat_template.jinja ("default") and of additional_chat_templates, by name
 */
export function chatTemplatesOf(config: JsonObject, files: ChatTemplates = {}): ChatTemplates {
  if (Object.keys(files).length > 0) return files;
  const given = config.chat_template;
  if (typeof given === "string") return { default: given };
  const named = Array.isArray(given)
    ? given.filter(isJsonObject).map(({ name, template }) => [name, template] as const)
    : isJsonObject(given)
      ? Object.entries(given)
      : [];
  return Object.fromEntries(named.filter(([name, text]) => typeof name === "string" && typeof text === "string"));
}

/**
 * The template that counts: a given one, by its text or its name; else the one for tools where there are tools; else the
 * default.
 * @throws GraftError `invalid-tokenizer` where there is none
 */
export function chooseTemplate(templates: ChatTemplates, given: string | undefined, hasTools: boolean): string {
  if (given !== undefined) return templates[given] ?? given;
  const template = (hasTools ? templates.tool_use : undefined) ?? templates.default;
  if (template !== undefined) return template;
  const names = Object.keys(templates);
  throw new GraftError(
    "invalid-tokenizer",
    names.length === 0
      ? "the tokenizer has no chat template"
      : `the tokenizer has several chat templates and none is the default: ${names.join(", ")}`,
    names.length === 0
      ? "Give one with chatTemplate, or put chat_template into tokenizer_config.json; base models are made for no chats."
      : "Name one of them with chatTemplate.",
  );
}
