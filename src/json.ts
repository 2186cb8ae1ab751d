import { GraftError, messageOf } from "./errors.js";

/** What a JSON text in braces is. */
export type JsonObject = { readonly [key: string]: unknown };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Characters of a value in a message. */
const MOST_SHOWN = 80;

/** A value as messages show it: JSON, cut off where it is long. */
export function shown(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    // JSON.stringify needs a stack as deep as the value, which JSON.parse does not.
    return "a deeply nested value";
  }
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN - 1)}…` : text;
}

/** Where and why a text stops being JSON. */
export interface JsonFault {
  readonly offset: number;
  readonly reason: string;
}

interface Container {
  readonly kind: "object" | "array";
  readonly keys: Set<string>;
}

/** What may come next at some point of a JSON text. */
type Expectation = "value" | "value or ]" | "key" | "key or }" | ":" | ", or end";

const blank = /[ \t\n\r]*/y;
const literal = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const escapeSequence = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

function matchAt(pattern: RegExp, text: string, offset: number): number {
  pattern.lastIndex = offset;
  return pattern.test(text) ? pattern.lastIndex : offset;
}

/** The offset behind the string that starts at `start`, or the fault inside it. */
function endOfString(text: string, start: number): number | JsonFault {
  let offset = start + 1;
  while (offset < text.length) {
    const character = text.charCodeAt(offset);
    if (character === 0x22) return offset + 1;
    if (character < 0x20) return { offset, reason: "a control character inside a string" };
    if (character === 0x5c) {
      const end = matchAt(escapeSequence, text, offset);
      if (end === offset) return { offset, reason: "an unknown escape sequence" };
      offset = end;
    } else {
      offset++;
    }
  }
  return { offset: start, reason: "a string that is never closed" };
}

/** One pass over the tokens; stops at the first fault or, when asked, at the first repeated key. */
class Scanner {
  private readonly open: Container[] = [];
  private expected: Expectation = "value";
  private offset = 0;

  constructor(
    private readonly text: string,
    private readonly refuseRepeatedKeys: boolean,
  ) {}

  run(): JsonFault | undefined {
    for (;;) {
      this.offset = matchAt(blank, this.text, this.offset);
      if (this.offset >= this.text.length) {
        const complete = this.expected === ", or end" && this.open.length === 0;
        return complete ? undefined : this.fault("the text ends too early");
      }
      const fault = this.token(this.text.charAt(this.offset));
      if (fault) return fault;
    }
  }

  private fault(reason: string): JsonFault {
    return { offset: this.offset, reason };
  }

  private unexpected(): JsonFault {
    const character = JSON.stringify(String.fromCodePoint(this.text.codePointAt(this.offset) ?? 0));
    const end = this.open.length > 0 ? ", or end" : "the end of the text";
    return this.fault(`${character} where ${this.expected === ", or end" ? end : this.expected} should be`);
  }

  private token(character: string): JsonFault | undefined {
    if (this.expected === ":") {
      if (character !== ":") return this.unexpected();
      this.offset++;
      this.expected = "value";
      return undefined;
    }
    if (this.expected === ", or end") return this.separator(character);
    if (this.expected === "key or }" && character === "}") return this.close("object");
    if (this.expected === "value or ]" && character === "]") return this.close("array");
    if (this.expected === "key" || this.expected === "key or }") {
      return character === '"' ? this.key() : this.unexpected();
    }
    return this.value(character);
  }

  private separator(character: string): JsonFault | undefined {
    const container = this.open.at(-1);
    if (container && character === ",") {
      this.offset++;
      this.expected = container.kind === "object" ? "key" : "value";
      return undefined;
    }
    if (character === "}") return this.close("object");
    if (character === "]") return this.close("array");
    return this.unexpected();
  }

  private close(kind: Container["kind"]): JsonFault | undefined {
    if (this.open.at(-1)?.kind !== kind) return this.unexpected();
    this.open.pop();
    this.offset++;
    this.expected = ", or end";
    return undefined;
  }

  private key(): JsonFault | undefined {
    const end = endOfString(this.text, this.offset);
    if (typeof end !== "number") return end;
    const keys = this.open.at(-1)?.keys;
    if (this.refuseRepeatedKeys && keys) {
      const spelled = this.text.slice(this.offset, end);
      const key = String(JSON.parse(spelled));
      if (keys.has(key)) return this.fault(`the key ${spelled} a second time`);
      keys.add(key);
    }
    this.offset = end;
    this.expected = ":";
    return undefined;
  }

  private value(character: string): JsonFault | undefined {
    if (character === "{" || character === "[") {
      const kind = character === "{" ? "object" : "array";
      this.open.push({ kind, keys: new Set() });
      this.offset++;
      this.expected = kind === "object" ? "key or }" : "value or ]";
      return undefined;
    }
    const end = character === '"' ? endOfString(this.text, this.offset) : matchAt(literal, this.text, this.offset);
    if (typeof end !== "number") return end;
    if (end === this.offset) return this.unexpected();
    this.offset = end;
    this.expected = ", or end";
    return undefined;
  }
}

/** The first fault of a JSON text; with `refuseRepeatedKeys` a key that an object holds twice is one too. */
export function findJsonFault(text: string, refuseRepeatedKeys = false): JsonFault | undefined {
  return new Scanner(text, refuseRepeatedKeys).run();
}

/**
 * Parses JSON.
 * @param what names the text in the message ("config.json of /models/bert").
 * @throws GraftError `invalid-json` with line and column (from 1) of the first fault.
 */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { offset, reason } = findJsonFault(text) ?? { offset: 0, reason: messageOf(error) };
    const before = text.slice(0, offset).split("\n");
    throw new GraftError(
      "invalid-json",
      `${what} is not valid JSON: line ${before.length}, column ${(before.at(-1) ?? "").length + 1}: ${reason}`,
      "Correct the file there, or fetch it again if it was cut off on the way.",
      { cause: error },
    );
  }
}

/** `parseJson` for a text that must hold an object. @throws GraftError `invalid-json` */
export function parseJsonObject(text: string, what: string): JsonObject {
  const value = parseJson(text, what);
  if (isJsonObject(value)) return value;
  throw new GraftError(
    "invalid-json",
    `${what} holds ${Array.isArray(value) ? "a list" : shown(value)}, not an object`,
    "Check that it is the file you meant.",
  );
}

/**
 * Indented JSON as Python reads it with the same types: a whole number stays one however large it is (model_max_length
 * is 10^30 in many tokenizers, which JavaScript would write as the float 1e+30).
 */
export function stringifyPython(value: JsonObject): string {
  const text = JSON.stringify(value, null, 2).replace(/: (-?\d(?:\.\d+)?e\+\d+)(?=,?$)/gm, (_, digits: string) => {
    return `: ${BigInt(Number(digits))}`;
  });
  return `${text}\n`;
}
