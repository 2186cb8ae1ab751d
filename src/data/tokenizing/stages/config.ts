import { GraftError } from "../../../errors.js";
import { isJsonObject, type JsonObject, shown } from "../../../json.js";

/** What a field of a stage may be. */
interface FieldTypes {
  readonly string: string;
  readonly boolean: boolean;
  readonly count: number;
  readonly array: readonly unknown[];
  readonly object: JsonObject;
}

const tests: { readonly [K in keyof FieldTypes]: (value: unknown) => value is FieldTypes[K] } = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  count: (value): value is number => Number.isSafeInteger(value) && Number(value) >= 0,
  array: (value): value is readonly unknown[] => Array.isArray(value),
  object: isJsonObject,
};

/** One stage of tokenizer.json: its kind, its options and where it stands, for messages. */
export class StageConfig {
  readonly type: string;

  constructor(
    private readonly options: JsonObject,
    /** "normalizer", "pre-tokenizer", ... */
    readonly place: string,
  ) {
    this.type = typeof options.type === "string" ? options.type : "";
  }

  /** A stage that may be null or left out. @throws GraftError `invalid-tokenizer` for anything but an object */
  static read(value: unknown, place: string): StageConfig | undefined {
    if (value === null || value === undefined) return undefined;
    if (!isJsonObject(value)) throw invalid(`${place}: ${shown(value)} is no stage`);
    return new StageConfig(value, place);
  }

  has(name: string): boolean {
    return this.options[name] !== undefined && this.options[name] !== null;
  }

  /** A field that must be there, or that has a default. @throws GraftError `invalid-tokenizer` */
  get<K extends keyof FieldTypes>(name: string, kind: K, fallback?: FieldTypes[K]): FieldTypes[K] {
    const value = this.options[name] ?? fallback;
    if (!tests[kind](value)) {
      throw invalid(`${this.place} ${this.type}: "${name}" is ${shown(this.options[name])}, not a ${kind}`);
    }
    return value;
  }

  /** A field that may be null. */
  optional<K extends keyof FieldTypes>(name: string, kind: K): FieldTypes[K] | undefined {
    return this.has(name) ? this.get(name, kind) : undefined;
  }

  /** A field that is one of a table's keys. */
  oneOf<T extends object>(name: string, table: T, fallback?: Extract<keyof T, string>): Extract<keyof T, string> {
    const value = this.get(name, "string", fallback);
    if (!Object.hasOwn(table, value)) throw this.unsupported(`${name} ${shown(value)}`);
    return value as Extract<keyof T, string>;
  }

  /** One character, as the Rust library's `char`. */
  character(name: string, fallback?: string): string {
    const value = this.get(name, "string", fallback);
    if (Array.from(value).length !== 1) throw invalid(`${this.place} ${this.type}: "${name}" is not one character`);
    return value;
  }

  /** The stages of a sequence. */
  stages(name: string): StageConfig[] {
    return this.get(name, "array").map((item) => {
      const stage = StageConfig.read(item, this.place);
      if (!stage) throw invalid(`${this.place} ${this.type}: a stage is null`);
      return stage;
    });
  }

  /** Picks what makes this stage from a table of kinds. @throws GraftError `unsupported` */
  pick<T>(table: { readonly [type: string]: T }): T {
    const found = Object.hasOwn(table, this.type) ? table[this.type] : undefined;
    if (found === undefined) throw this.unsupported();
    return found;
  }

  unsupported(detail = ""): GraftError {
    return new GraftError(
      "unsupported",
      `tokenizer.json has the ${this.place} ${this.type || "without a type"}${detail ? ` with ${detail}` : ""}, which is not read`,
      "Graft refuses it rather than tokenise differently: docs/tokenizers.md lists the stages.",
    );
  }
}

export function invalid(message: string): GraftError {
  return new GraftError(
    "invalid-tokenizer",
    `tokenizer.json: ${message}`,
    "The file is damaged or of another version: fetch it again, or save it with a current transformers.",
  );
}
