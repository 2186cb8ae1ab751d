import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bleu, cider, type Example, mtevalTokens, nist, pennTokens, rougeL } from "#graft/nlg/index";

type Scores = Readonly<Record<"bleu" | "nist" | "rougeL" | "cider", number>>;
interface Case {
  readonly examples: readonly Example[];
  readonly scores: Scores;
}

const { tokens, ...cases } = JSON.parse(readFileSync(new URL("../golden/nlg/e2e.json", import.meta.url), "utf8")) as {
  readonly examples: Case;
  readonly development: Case;
  readonly tokens: Readonly<Record<string, string>>;
};
const metrics = { bleu, nist, rougeL, cider };

describe.each(Object.entries(cases))("%s of the E2E challenge, against its own scripts", (_, { examples, scores }) => {
  test.each(Object.entries(metrics))("%s", (name, metric) => {
    expect(metric(examples)).toBeCloseTo(scores[name as keyof Scores], 10);
  });
});

test("the words of Stanford's tokeniser", () => {
  for (const [text, words] of Object.entries(tokens)) expect(pennTokens(text).join(" "), text).toBe(words);
});

test("the words of mteval: numbers stay whole, all else comes apart", () => {
  expect(mtevalTokens('It costs £1,250.50 (about); "5-star" &amp; family-friendly.')).toEqual(
    'it costs £1,250.50 ( about ) ; " 5 - star " & family-friendly .'.split(" "),
  );
});

test("an output that is a reference is perfect, one without a common word is worth nothing", () => {
  const references = ["The Vaults is a cheap pub near Café Adriatic.", "A cheap pub is The Vaults."];
  const others = { output: "Aromi serves French food in the riverside area.", references: ["Aromi is French."] };
  const perfect = { output: references[0]!, references };
  expect(bleu([perfect])).toBeCloseTo(1, 12);
  expect(rougeL([perfect])).toBeCloseTo(1, 12);
  expect(cider([perfect, others])).toBeGreaterThan(cider([{ ...perfect, output: "no such words" }, others]));
  const stranger = { output: "zzz yyy xxx www vvv", references };
  expect(bleu([stranger])).toBeLessThan(1e-3);
  expect(rougeL([stranger])).toBe(0);
  expect(nist([stranger])).toBe(0);
});

test("outputs without references are refused", () => {
  expect(() => bleu([])).toThrow(/no outputs/);
  expect(() => cider([{ output: "a", references: [] }])).toThrow(/output 1 has no reference/);
});
