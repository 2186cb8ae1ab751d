import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ChatMessage } from "#graft/data/chat/messages";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";
import { GraftError } from "#graft/errors";

const folder = "test/golden/data/chat";

interface TextCase {
  template: string;
  chat: string;
  options: { add_generation_prompt?: boolean; continue_final_message?: boolean; tools?: Record<string, unknown>[] };
  variables: Record<string, unknown>;
  text?: string;
  error?: string;
}
const { date, templates, chats, cases } = JSON.parse(readFileSync(`${folder}/texts.json`, "utf8")) as {
  date: string;
  templates: Record<string, string>;
  chats: Record<string, ChatMessage[]>;
  cases: TextCase[];
};
const masks = JSON.parse(readFileSync(`${folder}/tokens.json`, "utf8")) as {
  cases: { tokenizer: string; template: string; chat: string; inputIds: number[]; assistantMasks: number[] }[];
};

const tokenizer = await Tokenizer.fromFolder(`${folder}/bytes`);

function render({ template, chat, options, variables }: TextCase): string {
  return tokenizer.applyChatTemplate(chats[chat]!, {
    tokenize: false,
    chatTemplate: templates[template]!,
    addGenerationPrompt: options.add_generation_prompt ?? false,
    continueFinalMessage: options.continue_final_message ?? false,
    tools: options.tools,
    templateKwargs: { strftime_now: () => date, ...variables },
  });
}

const nameOf = ({ template, chat, options, variables }: TextCase) =>
  `${template} ${chat} ${JSON.stringify({ ...options, tools: options.tools?.length, ...variables }).slice(0, 80)}`;

describe("chat templates give transformers' text", () => {
  it.each(cases.filter(({ text }) => text !== undefined).map((one) => [nameOf(one), one] as const))("%s", (_, one) => {
    expect(render(one)).toBe(one.text);
  });

  const refused = cases.filter(({ error }) => error !== undefined);
  it.each(refused.map((one) => [nameOf(one), one] as const))("and its refusals: %s", (_, one) => {
    expect(() => render(one)).toThrow(GraftError);
    if (/roles|role /i.test(one.error!)) expect(() => render(one)).toThrow(one.error);
  });

  it("has refusals among its cases", () => expect(refused.length).toBeGreaterThan(3));
});

describe("tokens of what the model is to write are transformers'", () => {
  it.each(masks.cases.map((one) => [`${one.tokenizer} ${one.template} ${one.chat}`, one] as const))(
    "%s",
    async (_, one) => {
      const own = await Tokenizer.fromFolder(`${folder}/${one.tokenizer}`);
      const encoding = own.applyChatTemplate(chats[one.chat]!, {
        chatTemplate: templates[one.template]!,
        returnAssistantTokensMask: true,
      });
      expect([...encoding.inputIds]).toEqual(one.inputIds);
      expect([...encoding.assistantMasks!]).toEqual(one.assistantMasks);
    },
  );
});
