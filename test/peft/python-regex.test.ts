import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fullMatch } from "#graft/peft/matching/python-regex";

interface Row {
  readonly pattern: string;
  readonly error?: string;
  readonly matches?: readonly number[];
}

const { texts, rows } = JSON.parse(readFileSync("test/golden/python-regex.json", "utf8")) as {
  readonly texts: readonly string[];
  readonly rows: readonly Row[];
};

/** What JavaScript cannot say; everything else must be translated. */
const unsaid = new Set([
  ...["(?x) a b", "(?a)\\w+", "(?i:QUERY)", "(?-i:q)", "x++", "x*+", "x?+", "x{1,2}+", "(?>x+)y"],
  ...["(x)?(?(1)y|z)", "[\\W]", "[\\S]+", "(x|y)\\1", "(x)?\\1"],
]);

function outcome(pattern: string): readonly number[] | string {
  try {
    const matches = fullMatch(pattern);
    return texts.flatMap((text, at) => (matches(text) ? [at] : []));
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe("Python's regular expressions", () => {
  it.each(rows)("$pattern", ({ pattern, error, matches }) => {
    const found = outcome(pattern);
    if (error !== undefined) expect(["invalid-config", "unsupported"]).toContain(found);
    else if (unsaid.has(pattern)) expect(found).toBe("unsupported");
    else expect(found).toEqual(matches);
  });
});
