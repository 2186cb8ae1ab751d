import { expect, it } from "vitest";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";
import { GraftError } from "#graft/errors";
import { numbersChecksum, readGolden, type SharedParts, textChecksum, wholeFile } from "./tokenizer-golden.js";

interface Table extends SharedParts {
  texts: string[];
  pairs: [string, string][];
  cases: { name: string; file: { model: string }; ids: string; texts: string }[];
}

const table = readGolden<Table>("tokenizers-table.json.gz");
const inputs = [...table.texts.map((text) => [text] as const), ...table.pairs];

function unpack(base64: string): Uint32Array {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Uint32Array(bytes.buffer);
}

/** Checksums as the Rust library's, 0 where there is no unknown token for a piece. */
function answer(tokenizer: Tokenizer, text: string, pair: string | undefined): [ids: number, text: number] {
  try {
    const { inputIds, tokenTypeIds } = tokenizer.encode(text, pair);
    const decoded = inputIds.length === 0 ? 0 : textChecksum(tokenizer.decode(inputIds));
    return [numbersChecksum([...inputIds, ...tokenTypeIds!]), decoded];
  } catch (error) {
    if (error instanceof GraftError && error.code === "invalid-token") return [0, 0];
    throw error;
  }
}

type Outcome = "agree" | "refused" | "different";

function compare({ file, ids, texts }: Table["cases"][number]): { outcome: Outcome; detail?: unknown } {
  const [wantedIds, wantedTexts] = [unpack(ids), unpack(texts)];
  try {
    const tokenizer = Tokenizer.fromFiles(
      { tokenizer: wholeFile(file, table), config: {}, specialTokensMap: {} },
      { modelInputNames: ["inputIds", "tokenTypeIds"] },
    );
    for (const [i, [text, pair]] of inputs.entries()) {
      const [actualIds, actualText] = answer(tokenizer, text, pair);
      if (actualIds !== wantedIds[i]) return { outcome: "different", detail: { text, pair } };
      if (actualText !== wantedTexts[i]) return { outcome: "different", detail: { decoding: text, pair } };
    }
    return { outcome: "agree" };
  } catch (error) {
    if (error instanceof GraftError && error.code === "unsupported")
      return { outcome: "refused", detail: error.message };
    throw error;
  }
}

it("agrees with the Rust library on every tokenizer of the table, or refuses it", { timeout: 240_000 }, () => {
  const outcomes = table.cases.map((one) => ({ name: one.name, ...compare(one) }));
  const named = (wanted: Outcome) => outcomes.filter(({ outcome }) => outcome === wanted);
  const counts = {
    agree: named("agree").length,
    refused: named("refused").length,
    different: named("different").length,
  };
  console.log(`${table.cases.length} tokenizers x ${inputs.length} texts and pairs:`, counts, named("refused"));
  expect(table.cases.length * inputs.length).toBeGreaterThan(60_000);
  expect(named("different")).toEqual([]);
  expect(counts.refused).toBeLessThanOrEqual(0.03 * table.cases.length);
});
