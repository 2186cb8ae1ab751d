import type { Tuner } from "../tuner.js";

/** The README.md beside an adapter, with the fields by which the Hugging Face Hub files it. */
export function modelCard(
  baseModel: string | null,
  tags: readonly string[],
  { type, help }: Pick<Tuner, "type" | "help">,
): string {
  const base = baseModel === null ? "" : `base_model: ${JSON.stringify(baseModel)}\n`;
  // JSON texts are YAML texts: names of folders may hold what YAML reads otherwise.
  const list = tags.map((tag) => `- ${JSON.stringify(tag)}\n`).join("");
  const named = baseModel === null ? "its base model" : `\`${baseModel}\``;
  return `---
${base}library_name: peft
tags:
${list}---

# ${type} adapter

${help}, for ${named}, in the format of Hugging Face PEFT. Python loads it with
\`PeftModel.from_pretrained(base_model, folder)\`, TypeScript with \`PeftModel.fromPretrained(baseModel, folder)\` of
graft-peft.
`;
}
