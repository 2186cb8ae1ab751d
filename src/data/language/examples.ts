import { GraftError } from "../../errors.js";
import { isJsonObject, shown } from "../../json.js";
import type { ChatMessage } from "../chat/messages.js";
import { requireMessages } from "../chat/messages.js";
import { findColumn, placeOf, type Table, type TableRow, textCell } from "../readers/table.js";
import type { ColumnChoice } from "../readers/text-columns.js";

/** What a language model is taught with: a text, a prompt with its completion, or a chat. `place` names it in messages. */
export type LanguageExample = { readonly place: string } & (
  | { readonly text: string }
  | { readonly prompt: string; readonly completion: string }
  | { readonly messages: readonly ChatMessage[]; readonly tools?: readonly Readonly<Record<string, unknown>>[] }
  | { readonly instruction: string; readonly input: string; readonly output: string }
);

/** A form of rows, by the columns that show it. */
interface Shape {
  /** In messages: what rows are and where that is known from. */
  readonly what: string;
  fits(columns: readonly string[]): boolean;
  example(row: TableRow): LanguageExample;
}

const invalidRow = (row: TableRow, fault: string, hint: string): GraftError =>
  new GraftError("invalid-argument", `${placeOf(row)}: ${fault}`, hint);

/** A cell that holds a list; in CSV as JSON. */
function listCell(row: TableRow, column: string): readonly unknown[] {
  let value = row.cells[column];
  if (typeof value === "string" && value.trimStart().startsWith("[")) {
    try {
      value = JSON.parse(value);
    } catch {
      throw invalidRow(row, `"${column}" is ${shown(value)}, which is no JSON`, "Write the messages as a JSON list.");
    }
  }
  if (Array.isArray(value) && value.length > 0) return value;
  const fault = Array.isArray(value)
    ? `"${column}" is empty`
    : `"${column}" is ${shown(value)}, not a list of messages`;
  throw invalidRow(row, fault, 'Write [{"role": "user", "content": ...}, {"role": "assistant", "content": ...}].');
}

const shareGptRoles: Readonly<Record<string, string>> = {
  human: "user",
  user: "user",
  gpt: "assistant",
  chatgpt: "assistant",
  assistant: "assistant",
  model: "assistant",
  bot: "assistant",
  system: "system",
  tool: "tool",
  observation: "tool",
};

function shareGptMessage(turn: unknown, row: TableRow): ChatMessage {
  if (!isJsonObject(turn)) throw invalidRow(row, `${shown(turn)} is no turn`, 'Turns are {"from": ..., "value": ...}.');
  if (typeof turn.role === "string") return turn as unknown as ChatMessage;
  const role = shareGptRoles[String(turn.from)];
  if (role !== undefined && typeof turn.value === "string") return { role, content: turn.value };
  throw invalidRow(
    row,
    role === undefined ? `a turn is from ${shown(turn.from)}` : `a turn has the value ${shown(turn.value)}`,
    `Turns are {"from": ..., "value": text}, from ${Object.keys(shareGptRoles).join(", ")}.`,
  );
}

function chat(row: TableRow, messages: unknown): LanguageExample {
  requireMessages(messages, placeOf(row));
  const { tools, system } = row.cells;
  const isLed = typeof system === "string" && system !== "" && messages[0]?.role !== "system";
  return {
    place: placeOf(row),
    messages: isLed ? [{ role: "system", content: system }, ...messages] : messages,
    ...(Array.isArray(tools) && tools.length > 0 && { tools: tools as Record<string, unknown>[] }),
  };
}

const optionalText = (row: TableRow, column: string): string => {
  const value = row.cells[column];
  return value === undefined || value === null ? "" : textCell(row, column);
};

/** The first that fits counts. */
const shapes: readonly Shape[] = [
  {
    what: "chats (messages, as OpenAI has them)",
    fits: (columns) => columns.includes("messages"),
    example: (row) => chat(row, listCell(row, "messages")),
  },
  ...["conversations", "conversation"].map(
    (column): Shape => ({
      what: `chats (${column} with from and value, as ShareGPT has them)`,
      fits: (columns) => columns.includes(column),
      example: (row) =>
        chat(
          row,
          listCell(row, column).map((turn) => shareGptMessage(turn, row)),
        ),
    }),
  ),
  {
    what: "instructions (instruction, input and output, as Alpaca has them)",
    fits: (columns) => columns.includes("instruction") && columns.includes("output"),
    example: (row) => ({
      place: placeOf(row),
      instruction: textCell(row, "instruction"),
      input: optionalText(row, "input"),
      output: textCell(row, "output"),
    }),
  },
  {
    what: "prompts and completions",
    fits: (columns) => columns.includes("prompt") && columns.includes("completion"),
    example: (row) =>
      Array.isArray(row.cells.prompt)
        ? chat(row, [...listCell(row, "prompt"), ...listCell(row, "completion")])
        : pair(row, "prompt", "completion"),
  },
  { what: "texts", fits: (columns) => columns.includes("text"), example: (row) => text(row, "text") },
];

const pair = (row: TableRow, prompt: string, completion: string): LanguageExample => ({
  place: placeOf(row),
  prompt: textCell(row, prompt),
  completion: textCell(row, completion),
});

const text = (row: TableRow, column: string): LanguageExample => ({ place: placeOf(row), text: textCell(row, column) });

/** What a caller says about columns: one is of texts, two are prompt and completion. */
function givenShape(table: Table, choice: ColumnChoice): Shape {
  const names = (typeof choice === "object" ? choice : String(choice).split(",")).map((name) =>
    findColumn(table, /^\d+$/.test(String(name)) ? Number(name) : String(name).trim(), [], "textColumn"),
  );
  const [first, second] = names as [string, string | undefined];
  return {
    what: second === undefined ? `texts (${first})` : `prompts (${first}) and completions (${second})`,
    fits: () => true,
    example: (row) => (second === undefined ? text(row, first) : pair(row, first, second)),
  };
}

/**
 * What the rows of a table teach, by the columns' names.
 * @param textColumn a column of texts, or two: prompts and completions
 * @throws GraftError `invalid-argument` for columns that show nothing, and for a row that is not what its columns say
 */
export function languageExamples(
  table: Table,
  rows: readonly TableRow[],
  textColumn?: ColumnChoice,
): { readonly examples: readonly LanguageExample[]; readonly what: string } {
  const shape =
    textColumn === undefined ? shapes.find(({ fits }) => fits(table.columns)) : givenShape(table, textColumn);
  if (shape === undefined) {
    throw new GraftError(
      "invalid-argument",
      `${table.file} has the columns ${table.columns.join(", ") || "(none)"}, which show no texts to learn`,
      "Name them messages, conversations, instruction and output, prompt and completion, or text; or name the column with textColumn, two of them (a,b) being prompt and completion.",
      { option: "textColumn" },
    );
  }
  return { examples: rows.map((row) => shape.example(row)), what: shape.what };
}
