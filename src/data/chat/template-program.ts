import { Environment, Interpreter, Template } from "@huggingface/jinja";
import { GraftError, messageOf } from "../../errors.js";
import { isEqual, jsonText, textOf, type Value } from "./python-values.js";

/** A node of the library's syntax tree. */
interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

type Call = (args: readonly Value[], scope: Environment) => unknown;

/** What a template says of messages that it does not take (`raise_exception`). */
class Raised extends Error {}

/** Stand around what the model is to learn; no text holds them, since Unicode gives them to no character. */
export const GENERATION_START = "\ufdd0";
export const GENERATION_END = "\ufdd1";

const wrapped = (content: unknown): Value => new Environment().set("value", content);
const numberOf = ({ value }: Value): number => Number(value);

function modulo(left: Value, right: Value): unknown {
  if (left.type === "StringValue") {
    const values = right.type === "TupleValue" ? [...(right.value as Value[])] : [right];
    return (left.value as string).replace(/%([sd%])/g, (_, kind: string) => {
      if (kind === "%") return "%";
      const next = values.shift();
      if (next === undefined) throw new Error("not enough arguments for a format string");
      return kind === "d" ? String(Math.trunc(numberOf(next))) : textOf(next);
    });
  }
  const [a, b] = [numberOf(left), numberOf(right)];
  if (b === 0) throw new Error("modulo by zero");
  // The sign of the divisor, as in Python; JavaScript's has that of the dividend.
  return ((a % b) + b) % b;
}

function toJson(args: readonly Value[]): string {
  const last = args.at(-1);
  const named = last?.type === "KeywordArgumentsValue" ? (last.value as Map<string, Value>) : new Map<string, Value>();
  const [input, ...given] = last?.type === "KeywordArgumentsValue" ? args.slice(0, -1) : args;
  const option = (name: string, at: number): Value | undefined => {
    const value = named.get(name) ?? given[at];
    return value === undefined || value.type === "NullValue" ? undefined : value;
  };
  const indent = option("indent", 1);
  const separators = option("separators", 2);
  const [item, key] = separators ? (separators.value as Value[]) : [];
  return jsonText(input as Value, {
    ensureAscii: option("ensure_ascii", 0)?.value === true,
    indent:
      indent === undefined ? null : typeof indent.value === "string" ? indent.value : " ".repeat(numberOf(indent)),
    separators: [item ? textOf(item) : indent === undefined ? ", " : ",", key ? textOf(key) : ": "],
    sortKeys: option("sort_keys", 3)?.value === true,
  });
}

/** Python's strip of given characters; of white space the library does it as well. */
function strip(args: readonly Value[]): string {
  const [text, characters, sides] = args.map(textOf) as [string, string, string];
  const isStripped = (unit: string | undefined) => unit !== undefined && characters.includes(unit);
  const units = [...text];
  let [start, end] = [0, units.length];
  if (sides !== "rstrip") while (start < end && isStripped(units[start])) start++;
  if (sides !== "lstrip") while (end > start && isStripped(units[end - 1])) end--;
  return units.slice(start, end).join("");
}

function generation(_: readonly Value[], scope: Environment): string {
  const caller = scope.lookupVariable("caller").value as (args: Value[], scope: Environment) => Value;
  return `${GENERATION_START}${textOf(caller([], scope))}${GENERATION_END}`;
}

/** What stands in for operations in which the library differs from Python's Jinja. */
const calls = {
  graft_text: ([value]) => textOf(value!),
  graft_concat: ([left, right]) => textOf(left!) + textOf(right!),
  graft_equal: ([left, right]) => isEqual(left!, right!),
  graft_differ: ([left, right]) => !isEqual(left!, right!),
  graft_modulo: ([left, right]) => modulo(left!, right!),
  graft_json: toJson,
  graft_strip: strip,
  graft_generation: generation,
} as const satisfies Readonly<Record<string, Call>>;

const operators: Readonly<Record<string, keyof typeof calls>> = {
  "%": "graft_modulo",
  "==": "graft_equal",
  "!=": "graft_differ",
  "~": "graft_concat",
};

const callOf = (name: keyof typeof calls, args: readonly unknown[]): Node => ({
  type: "CallExpression",
  callee: { type: "Identifier", value: name },
  args,
});

/** Statements and literal texts give text themselves; everything else that stands in a block is printed. */
const printed = new Set([
  "ArrayLiteral",
  "BinaryExpression",
  "CallExpression",
  "FilterExpression",
  "FloatLiteral",
  "Identifier",
  "IntegerLiteral",
  "MemberExpression",
  "ObjectLiteral",
  "SelectExpression",
  "Ternary",
  "TestExpression",
  "TupleLiteral",
  "UnaryExpression",
]);
const blocks = new Set(["body", "alternate", "defaultBlock"]);

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as Node).type === "string";

function rewritten(value: unknown, isBlock = false): unknown {
  if (Array.isArray(value)) {
    return value.map((item: unknown) => {
      const next = rewritten(item);
      return isBlock && isNode(item) && printed.has(item.type) ? callOf("graft_text", [next]) : next;
    });
  }
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [rewritten(key), rewritten(item)]));
  if (!isNode(value)) return value;
  const copy = Object.assign(
    Object.create(Object.getPrototypeOf(value) as object) as object,
    Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rewritten(item, blocks.has(key))])),
  ) as Node;
  if (copy.type === "BinaryExpression") {
    const name = operators[(copy.operator as { value: string }).value];
    return name ? callOf(name, [copy.left, copy.right]) : copy;
  }
  if (copy.type === "CallExpression") return stripCall(copy) ?? copy;
  return copy.type === "FilterExpression" ? (filterCall(copy) ?? copy) : copy;
}

/** The call that stands in for `text.strip(characters)`: the library strips white space, whatever it is told. */
function stripCall({ callee, args }: Node): Node | undefined {
  const [characters] = args as Node[];
  if (!isNode(callee) || callee.type !== "MemberExpression" || characters === undefined) return undefined;
  const name = String((callee.property as Node).value);
  if (!["strip", "lstrip", "rstrip"].includes(name)) return undefined;
  return callOf("graft_strip", [callee.object, characters, { type: "StringLiteral", value: name }]);
}

/** The call that stands in for `tojson` and `string`. */
function filterCall({ operand, filter }: Node): Node | undefined {
  if (!isNode(filter)) return undefined;
  const isCall = filter.type === "CallExpression";
  const name = isCall ? (filter.callee as Node).value : filter.value;
  if (name === "tojson") return callOf("graft_json", [operand, ...(isCall ? (filter.args as Node[]) : [])]);
  return name === "string" ? callOf("graft_text", [operand]) : undefined;
}

function range(...args: readonly unknown[]): number[] {
  const numbers = args.filter((value) => typeof value === "number");
  const [start, stop, step = 1] = numbers.length === 1 ? [0, numbers[0]!] : (numbers as [number, number, number?]);
  if (step === 0) throw new Error("range() with a step of 0");
  const count = Math.max(0, Math.ceil((stop - start) / step));
  return Array.from({ length: count }, (_, i) => start + i * step);
}

const globals: Readonly<Record<string, unknown>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  raise_exception: (message: unknown) => {
    throw new Raised(String(message));
  },
  // The library gives its own to templates alone.
  strftime_now: (format: unknown) => new Template("{{ strftime_now(format) }}").render({ format }),
};

const mark = /\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}/g;

/** Whether a template marks what the model is to learn. */
export const marksGeneration = (source: string): boolean => source.search(mark) >= 0;

/** A chat template, ready to be filled in. */
export interface TemplateProgram {
  /**
   * The text, with generation marks around what `{% generation %}` blocks hold.
   * @throws GraftError `invalid-argument` for what the template refuses, `unsupported` for what it asks in vain
   */
  render(variables: Readonly<Record<string, unknown>>): string;
}

/**
 * Reads a Jinja template as transformers reads chat templates.
 * @throws GraftError `invalid-tokenizer` for a template that is none
 */
export function readTemplate(source: string): TemplateProgram {
  let tree: unknown;
  try {
    // A call block is what the marks are in Python, too: a scope of its own, and a text that comes back.
    const marked = source.replace(mark, (_, before: string, end: string | undefined, after: string) =>
      end ? `{%${before} endcall ${after}%}` : `{%${before} call graft_generation() ${after}%}`,
    );
    tree = rewritten(new Template(marked).parsed);
  } catch (error) {
    throw new GraftError(
      "invalid-tokenizer",
      `the chat template cannot be read: ${messageOf(error)}`,
      "Correct chat_template in tokenizer_config.json, or chat_template.jinja.",
      { cause: error },
    );
  }
  return { render: (variables) => run(tree, variables) };
}

function run(tree: unknown, variables: Readonly<Record<string, unknown>>): string {
  const environment = new Environment();
  for (const [name, value] of Object.entries({ ...globals, ...variables })) environment.set(name, value);
  for (const [name, call] of Object.entries<Call>(calls)) {
    const value = { type: "FunctionValue", value: (args: Value[], scope: Environment) => wrapped(call(args, scope)) };
    environment.variables.set(name, value as unknown as Value);
  }
  try {
    return textOf(new Interpreter(environment).run(tree as Parameters<Interpreter["run"]>[0]));
  } catch (error) {
    if (error instanceof Raised) {
      throw new GraftError(
        "invalid-argument",
        `the chat template refuses the messages: ${error.message}`,
        "Give the messages in the order and with the roles that the model was made for.",
        { cause: error },
      );
    }
    throw new GraftError(
      "unsupported",
      `the chat template cannot be applied: ${messageOf(error)}`,
      "Check the messages' keys; if the template uses something of Jinja that is missing here, simplify it there.",
      { cause: error },
    );
  }
}
