import type { Environment } from "@huggingface/jinja";

/** A value of a template while it runs; `type` is the library's class name. */
export type Value = ReturnType<Environment["lookupVariable"]>;

const isList = ({ type }: Value): boolean => type === "ArrayValue" || type === "TupleValue";
const itemsOf = (value: Value): readonly Value[] => value.value as Value[];
const entriesOf = (value: Value): [string, Value][] => [...(value.value as Map<string, Value>)];

/** A float as Python's repr writes it: an exponent below 1e-4 and from 1e16 on, two digits at least. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits, exponent = "+0"] = value.toExponential().split("e");
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

const named: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\\\p{Cc}\xa0\xad]/gu, (character) => {
    return named[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`;
}

function repr(value: Value): string {
  if (value.type === "StringValue") return stringRepr(value.value as string);
  return textOf(value);
}

const dictText = (value: Value): string =>
  `{${entriesOf(value)
    .map(([key, item]) => `${stringRepr(key)}: ${repr(item)}`)
    .join(", ")}}`;

const texts: Readonly<Record<string, (value: Value) => string>> = {
  UndefinedValue: () => "",
  NullValue: () => "None",
  BooleanValue: ({ value }) => (value ? "True" : "False"),
  FloatValue: ({ value }) => floatText(value as number),
  TupleValue: (value) => `(${itemsOf(value).map(repr).join(", ")}${itemsOf(value).length === 1 ? "," : ""})`,
  ArrayValue: (value) => `[${itemsOf(value).map(repr).join(", ")}]`,
  ObjectValue: dictText,
  KeywordArgumentsValue: dictText,
};

/** What Python's str() makes of a value; nothing of one that is not defined. */
export function textOf(value: Value): string {
  return texts[value.type]?.(value) ?? String(value.value);
}

/** Python's ==. Numbers and truth values compare by value, lists and dicts by what they hold. */
export function isEqual(a: Value, b: Value): boolean {
  const isNumber = ({ value }: Value) => typeof value === "number" || typeof value === "boolean";
  if (isNumber(a) && isNumber(b)) return Number(a.value) === Number(b.value);
  if (isList(a) && isList(b)) {
    const [left, right] = [itemsOf(a), itemsOf(b)];
    return a.type === b.type && left.length === right.length && left.every((item, i) => isEqual(item, right[i]!));
  }
  if (a.type === "ObjectValue" && b.type === "ObjectValue") {
    const right = b.value as Map<string, Value>;
    const left = entriesOf(a);
    return left.length === right.size && left.every(([key, item]) => right.has(key) && isEqual(item, right.get(key)!));
  }
  return a.type === b.type && a.value === b.value;
}

/** Options of `json.dumps`. */
export interface JsonStyle {
  readonly ensureAscii: boolean;
  readonly indent: string | null;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

function jsonString(text: string, ensureAscii: boolean): string {
  // JSON.stringify writes lone surrogates as escapes; Python keeps them, and no tokenizer takes them.
  const quoted = JSON.stringify(text);
  if (!ensureAscii) return quoted;
  return quoted.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const byCodePoint = ([a]: [string, Value], [b]: [string, Value]): number => (a < b ? -1 : a > b ? 1 : 0);

/** What `json.dumps` makes of a value. @throws Error for what JSON has no form of */
export function jsonText(value: Value, style: JsonStyle, depth = 0): string {
  const { indent, separators, ensureAscii, sortKeys } = style;
  const around = (open: string, parts: readonly string[], close: string): string => {
    if (indent === null || parts.length === 0) return `${open}${parts.join(separators[0])}${close}`;
    const line = `\n${indent.repeat(depth + 1)}`;
    return `${open}${line}${parts.join(`${separators[0]}${line}`)}\n${indent.repeat(depth)}${close}`;
  };
  if (value.type === "NullValue") return "null";
  if (value.type === "BooleanValue" || value.type === "IntegerValue") return String(value.value);
  if (value.type === "FloatValue") return floatText(value.value as number);
  if (value.type === "StringValue") return jsonString(value.value as string, ensureAscii);
  if (isList(value)) {
    return around(
      "[",
      itemsOf(value).map((item) => jsonText(item, style, depth + 1)),
      "]",
    );
  }
  if (value.type === "ObjectValue") {
    const entries = sortKeys ? entriesOf(value).sort(byCodePoint) : entriesOf(value);
    const parts = entries.map(
      ([key, item]) => `${jsonString(key, ensureAscii)}${separators[1]}${jsonText(item, style, depth + 1)}`,
    );
    return around("{", parts, "}");
  }
  throw new Error(`tojson of a value that is ${value.type === "UndefinedValue" ? "not defined" : "no JSON"}`);
}
