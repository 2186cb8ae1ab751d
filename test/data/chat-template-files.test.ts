import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";

const messages = [{ role: "user", content: "Hello" }];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "graft-chat-"));
  cpSync("test/golden/data/chat/bytes", folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function configure(values: Record<string, unknown>): void {
  const path = join(folder, "tokenizer_config.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...values }));
}

const textOf = async (options = {}) =>
  (await Tokenizer.fromFolder(folder)).applyChatTemplate(messages, { tokenize: false, ...options });

describe("where chat templates come from", () => {
  it("is tokenizer_config.json: one, or several by name", async () => {
    configure({ chat_template: "one {{ bos_token }}" });
    expect(await textOf()).toBe("one <s>");
    configure({
      chat_template: [
        { name: "default", template: "plain" },
        { name: "tool_use", template: "tools" },
        { name: "rag", template: "rag" },
      ],
    });
    expect(await textOf()).toBe("plain");
    expect(await textOf({ tools: [{}] })).toBe("tools");
    expect(await textOf({ chatTemplate: "rag" })).toBe("rag");
    expect(await textOf({ chatTemplate: "text {{ messages[0].role }}" })).toBe("text user");
  });

  it("is chat_template.jinja before tokenizer_config.json, with more in additional_chat_templates; all are saved", async () => {
    configure({ chat_template: "config" });
    writeFileSync(join(folder, "chat_template.jinja"), "file\n");
    mkdirSync(join(folder, "additional_chat_templates"));
    writeFileSync(join(folder, "additional_chat_templates", "rag.jinja"), "more");
    expect(await textOf()).toBe("file");
    expect(await textOf({ chatTemplate: "rag" })).toBe("more");
    const copy = join(folder, "copy");
    await (await Tokenizer.fromFolder(folder)).savePretrained(copy);
    const saved = await Tokenizer.fromFolder(copy);
    expect(saved.chatTemplates).toEqual({ default: "file\n", rag: "more" });
  });

  it.each([
    [{}, "invalid-tokenizer", /no chat template/],
    [{ chat_template: [{ name: "rag", template: "x" }] }, "invalid-tokenizer", /none is the default: rag/],
    [{ chat_template: "{% if %}" }, "invalid-tokenizer", /cannot be read/],
    [{ chat_template: "{{ no_such_function(1) }}" }, "unsupported", /cannot be applied/],
    [{ chat_template: "{{ 'x' | no_such_filter }}" }, "unsupported", /no_such_filter/],
    [{ chat_template: "{{ raise_exception('not so') }}" }, "invalid-argument", /refuses the messages: not so/],
  ])("%j is refused", async (config, code, message) => {
    configure(config);
    await expect(textOf()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe("messages that are none", () => {
  it.each([[[]], ["text"], [[{ content: "no role" }]], [[null]]])("%j", async (given) => {
    configure({ chat_template: "x" });
    const tokenizer = await Tokenizer.fromFolder(folder);
    expect(() => tokenizer.applyChatTemplate(given as never)).toThrow(/message|messages/);
  });

  it("and options that exclude each other", async () => {
    configure({ chat_template: "{{ messages[0].content }}" });
    await expect(textOf({ addGenerationPrompt: true, continueFinalMessage: true })).rejects.toThrow(/exclude/);
    await expect(textOf({ continueFinalMessage: "thoughts" })).rejects.toThrow(/no thoughts/);
  });
});
