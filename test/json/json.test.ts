import { expect, test } from "vitest";
import { findJsonFault, parseJson, shown } from "#graft/json";

const valid = ["{}", "[]", ' {"a": [1, -2.5e+3, true, null, "x\\u00e9\\n"], "b": {"c": []}} ', '"text"', "0", "[[[]]]"];

const broken: [text: string, line: number, column: number, reason: RegExp][] = [
  ["", 1, 1, /ends too early/],
  ['{"a": 1', 1, 8, /ends too early/],
  ['{\n  "a": 1,\n}', 3, 1, /"}" where key/],
  ['{"a": abc}', 1, 7, /"a" where value/],
  ['{"a" 1}', 1, 6, /"1" where :/],
  ["{'a': 1}", 1, 2, /"'" where key or }/],
  ["[1 2]", 1, 4, /"2" where , or end/],
  ["[1,]", 1, 4, /"\]" where value/],
  ["[1}", 1, 3, /"}" where , or end/],
  ["{} x", 1, 4, /the end of the text/],
  ["[01]", 1, 3, /"1" where/],
  ["[NaN]", 1, 2, /"N" where value/],
  ['["a\nb"]', 1, 4, /control character/],
  ['["a\\x"]', 1, 4, /unknown escape/],
  ['["abc', 1, 2, /never closed/],
  ["\ufeff{}", 1, 1, /where value/],
];

test("texts that JSON.parse accepts have no fault", () => {
  for (const text of valid) {
    expect(findJsonFault(text), text).toBeUndefined();
    expect(parseJson(text, "x")).toEqual(JSON.parse(text));
  }
});

test.each(broken)("%j is refused at line %i, column %i", (text, line, column, reason) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(() => parseJson(text, "config.json")).toThrow(
    expect.objectContaining({
      code: "invalid-json",
      message: expect.stringContaining(`config.json is not valid JSON: line ${line}, column ${column}: `),
    }),
  );
  expect(findJsonFault(text)?.reason).toMatch(reason);
});

test("repeated keys are found where they are asked for, escaped spellings included", () => {
  const text = '{"a": {"x": 1}, "b": {"x": 1, "\\u0078": 2}}';
  expect(findJsonFault(text)).toBeUndefined();
  expect(findJsonFault(text, true)).toEqual({ offset: 30, reason: 'the key "\\u0078" a second time' });
  expect(findJsonFault('[{"a":1},{"a":2}]', true)).toBeUndefined();
});

test("values are shown in messages as JSON, cut off where they are long", () => {
  expect([null, "a", { b: [1] }, undefined].map(shown)).toEqual(["null", '"a"', '{"b":[1]}', "undefined"]);
  expect(shown("x".repeat(1000))).toBe(`"${"x".repeat(78)}…`);
  expect(shown(JSON.parse("[".repeat(200_000) + "]".repeat(200_000)))).toBe("a deeply nested value");
});

test("deep nesting and a long string need no stack", () => {
  expect(findJsonFault("[".repeat(200_000))?.reason).toMatch(/too early/);
  expect(findJsonFault(`["${"\\n".repeat(500_000)}"`)?.reason).toMatch(/too early/);
});
