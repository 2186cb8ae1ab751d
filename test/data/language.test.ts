import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DataCollatorForLanguageModeling } from "#graft/data/language/collate";
import { languageDataset } from "#graft/data/language/dataset";
import { encodeLanguageExample } from "#graft/data/language/encode";
import { packRows } from "#graft/data/language/pack";
import { languageDatasetFrom, readLanguageDataset } from "#graft/data/language/read";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";

const folder = mkdtempSync(join(tmpdir(), "graft-language-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = "test/golden/data/chat/bytes";
const plain = await Tokenizer.fromFolder(bytes);
const chatml =
  "{% for m in messages %}{% if m.role == 'critic' %}{{ raise_exception('no critics') }}{% endif %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The text of tokens that are learnt. */
const learnt = (row: { inputIds: Int32Array; labels: Int32Array }): string =>
  plain.decode(row.labels.filter((label) => label !== -100));

const user = { role: "user", content: "Hi" };
const answer = { role: "assistant", content: "Hello there" };

describe("rows are recognised by their columns, and said in one line", () => {
  it.each([
    ["a.jsonl", JSON.stringify({ messages: [user, answer] }), /OpenAI/, "messages"],
    [
      "b.json",
      JSON.stringify([
        {
          conversations: [
            { from: "human", value: "Hi" },
            { from: "gpt", value: "Hello there" },
          ],
        },
      ]),
      /ShareGPT/,
      "messages",
    ],
    ["c.json", JSON.stringify([{ instruction: "Do", input: "", output: "Done" }]), /Alpaca/, "instruction"],
    ["d.csv", "prompt,completion\nHi,Hello\n", /prompts and completions/, "prompt"],
    ["e.tsv", "text\nHello\n", /texts/, "text"],
    ["f.txt", "Hello\nyou\n", /one text of 10 characters/, "text"],
    ["g.csv", `messages\n"${JSON.stringify([user, answer]).replaceAll('"', '""')}"\n`, /OpenAI/, "messages"],
  ])("%s", async (name, content, said, key) => {
    const lines: string[] = [];
    const { examples } = await readLanguageDataset(file(name, content), { onInfo: (line) => lines.push(line) });
    expect(lines).toEqual([expect.stringMatching(said)]);
    expect(examples).toHaveLength(1);
    expect(Object.keys(examples[0]!)).toContain(key);
  });

  it("ShareGPT's turns become messages", () => {
    const turns = [
      { from: "system", value: "Be brief" },
      { from: "human", value: "Hi" },
      { from: "gpt", value: "Ho" },
    ];
    const { examples } = languageDatasetFrom([{ conversations: turns }]);
    expect(examples[0]).toMatchObject({
      messages: [
        { role: "system", content: "Be brief" },
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Ho" },
      ],
    });
  });

  it("textColumn names a column of texts, or prompts and completions", () => {
    expect(languageDatasetFrom([{ q: "a", a: "b" }], { textColumn: ["q", "a"] }).examples[0]).toMatchObject({
      prompt: "a",
      completion: "b",
    });
    expect(languageDatasetFrom([{ story: "a" }], { textColumn: "story" }).examples[0]).toMatchObject({ text: "a" });
  });

  it.each([
    ["h.jsonl", '{"body": "x"}', /columns body, which show no texts/],
    ["i.jsonl", '{"messages": []}', /"messages" is empty/],
    ["j.jsonl", '{"messages": "Hi"}', /not a list of messages/],
    ["k.jsonl", '{"messages": [{"content": "Hi"}]}', /k.jsonl:1: message 1 .*no role/],
    ["l.jsonl", '{"conversations": [{"from": "dog", "value": "Hi"}]}', /a turn is from "dog"/],
    ["m.json", '{"text": "x"}', /holds no list/],
    ["n.txt", " \n", /no rows/],
  ])("%s is refused", async (name, content, message) => {
    await expect(readLanguageDataset(file(name, content))).rejects.toThrow(message);
  });
});

describe("what is learnt", () => {
  const encode = (row: Record<string, unknown>, options = {}) =>
    encodeLanguageExample(languageDatasetFrom([row]).examples[0]!, plain, { chatTemplate: chatml, ...options });

  it("all of a text, with an end token", () => {
    expect(learnt(encode({ text: "Hello" }))).toBe("Hello</s>");
    expect(learnt(encode({ text: "Hello</s>" }))).toBe("Hello</s>");
  });

  it("completions, or prompts with them", () => {
    const row = { prompt: "What is it?", completion: " It is blue." };
    expect(learnt(encode(row))).toBe(" It is blue.</s>");
    expect(learnt(encode(row, { completionOnly: false }))).toBe("What is it? It is blue.</s>");
  });

  it("chats, or the assistant's turns of them, by marks or by prefixes", () => {
    const row = { messages: [user, answer, user, { ...answer, content: "Bye" }] };
    expect(learnt(encode(row))).toContain("<|im_start|>user\nHi<|im_end|>");
    const turns = "Hello there<|im_end|>\nBye<|im_end|>\n";
    expect(learnt(encode(row, { assistantOnly: true }))).toBe(turns);
    const marked =
      "{% for m in messages %}<|im_start|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}";
    expect(learnt(encode(row, { assistantOnly: true, chatTemplate: marked }))).toBe(
      "Hello there<|im_end|>Bye<|im_end|>",
    );
  });

  it("instructions in Alpaca's words, or as chats where there is a template", () => {
    const row = { instruction: "Say", input: "it", output: "So" };
    const asText = encode(row, { chatTemplate: undefined });
    expect(plain.decode(asText.inputIds)).toContain("### Instruction:\nSay\n\n### Input:\nit\n\n### Response:\nSo</s>");
    expect(learnt(asText)).toBe("So</s>");
    expect(plain.decode(encode(row).inputIds)).toContain("<|im_start|>user\nSay\n\nit<|im_end|>");
  });

  const later =
    "{% for m in messages %}{{ m.role if loop.last else 'earlier' }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
  it.each([
    [{ messages: [user] }, {}, "invalid-argument", /row:0: the chat has no assistant's turn \(it has user\)/],
    [{ messages: [{ ...user, role: "critic" }, answer] }, {}, "invalid-argument", /row:0: .*no critics/],
    [{ messages: [user, answer] }, { chatTemplate: undefined }, "invalid-tokenizer", /row:0: .*no chat template/],
    [
      { messages: [user, answer, user, answer] },
      { assistantOnly: true, chatTemplate: later },
      "unsupported",
      /cannot be told from prefixes/,
    ],
    [{ prompt: "x", completion: "" }, {}, "invalid-argument", /completion is empty/],
    [{ text: "" }, {}, "invalid-argument", /nothing can be learnt/],
  ])("%j is refused", (row, options, code, message) => {
    expect(() => encode(row, options)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});

describe("rows that are too long", () => {
  const rows = [
    { prompt: "Hello, how are you today?", completion: " I am fine, thank you. And you?" },
    { prompt: "Hi", completion: " Ho" },
  ];
  const made = (options: Parameters<typeof languageDataset>[2]) => {
    const lines: string[] = [];
    const { examples } = languageDatasetFrom(rows);
    const dataset = languageDataset(examples, plain, { ...options, onInfo: (line) => lines.push(line) });
    return { dataset, lines: lines.join("\n") };
  };

  it("are cut and said, skipped and said, or refused", () => {
    const { dataset, lines } = made({ maxLength: 12 });
    expect(dataset.rows.map(({ inputIds }) => inputIds.length)).toEqual([12, expect.any(Number)]);
    expect(lines).toMatch(
      /1 row longer than 12 tokens: .*the ends of 1 answer with them, which are learnt without an end/,
    );
    const skipped = made({ maxLength: 12, tooLong: "skip" });
    expect(skipped.dataset.length).toBe(1);
    expect(skipped.lines).toMatch(/1 row longer than 12 tokens: left out/);
    expect(() => made({ maxLength: 12, tooLong: "error" })).toThrow(/row:0 has \d+ tokens, and rows may have 12/);
    expect(() => made({ maxLength: 4 })).toThrow(/row:0 .*its prompt alone fills them/);
    expect(() => made({ maxLength: 2, tooLong: "skip" })).toThrow(/left out/);
  });

  it("running texts are read in pieces, none lost", () => {
    const text = "Tell me a story about a small cat who lived near the river. ".repeat(4);
    const { examples } = languageDatasetFrom([{ text }]);
    const { rows: pieces } = languageDataset(examples, plain, { maxLength: 16 });
    expect(plain.decode(pieces.flatMap(({ inputIds }) => [...inputIds]))).toBe(`${text}</s>`);
    expect(pieces.slice(0, -1).every(({ inputIds }) => inputIds.length === 16)).toBe(true);
  });

  it("ids beyond the model's vocabulary are refused", () => {
    const { examples } = languageDatasetFrom([{ text: "Hello" }]);
    expect(() => languageDataset(examples, plain, { vocabSize: 10 })).toThrow(/row:0 holds the token id \d+; .*0 to 9/);
  });

  it("what a tokenizer lacks is said", async () => {
    const bare = await Tokenizer.fromFolder("test/golden/data/tiny-bpe");
    const lines: string[] = [];
    const { examples } = languageDatasetFrom([{ text: "Hello" }]);
    languageDataset(examples, bare, { onInfo: (line) => lines.push(line) });
    if (bare.specialTokens.eos_token === undefined) expect(lines.join()).toMatch(/no end token/);
    if (bare.padTokenId === undefined) expect(lines.join()).toMatch(/no pad token/);
    expect(lines.length).toBeGreaterThan(0);
  });
});

describe("batches", () => {
  const row = (length: number, from = 1) => {
    const inputIds = Int32Array.from({ length }, (_, i) => from + i);
    return { inputIds, labels: inputIds.slice() };
  };

  it("are padded on the right, labels with -100", () => {
    const collate = DataCollatorForLanguageModeling(plain, { padToMultipleOf: 4 });
    const { inputIds, attentionMask, labels } = collate([row(3), { inputIds: Int32Array.of(7, 8) }]);
    const pad = plain.padTokenId;
    expect([...inputIds!.data]).toEqual([1, 2, 3, pad, 7, 8, pad, pad]);
    expect([...attentionMask!.data]).toEqual([1, 1, 1, 0, 1, 1, 0, 0]);
    expect([...labels!.data]).toEqual([1, 2, 3, -100, 7, 8, -100, -100]);
  });

  it("packs hold every token once, with segments and positions, and learn no first token", () => {
    const rows = [5, 3, 7, 2, 6, 1, 4].map((length, index) => row(length, 10 * index));
    const packs = packRows(rows, 10);
    expect(packs.length).toBe(3);
    expect(packs.every(({ inputIds }) => inputIds.length <= 10)).toBe(true);
    const tokens = packs.flatMap(({ inputIds }) => [...inputIds]).sort((a, b) => a - b);
    expect(tokens).toEqual(rows.flatMap(({ inputIds }) => [...inputIds]).sort((a, b) => a - b));
    for (const { inputIds, labels, segmentIds, positionIds } of packs) {
      inputIds.forEach((id, index) => {
        expect(positionIds![index]).toBe(id % 10);
        expect(labels[index]).toBe(id % 10 === 0 ? -100 : id);
        expect(segmentIds![index]! - (segmentIds![index - 1] ?? 0)).toBe(index > 0 && id % 10 === 0 ? 1 : 0);
      });
    }
  });
});
