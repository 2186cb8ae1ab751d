import { GraftError } from "../../errors.js";
import { findColumn, type Table } from "./table.js";

/** A column by name or number; several of them by a list, or by names with commas between. */
export type ColumnChoice = string | number | readonly (string | number)[];

/** Which columns of a table are the text, its pair and the label. */
export interface TextColumns {
  /**
   * Name or number; two of them ("premise,hypothesis", or a list) are a text and its pair. Default: a known pair, such as
   * question and passage, or the first of text, sentence, content, review, ... that exists.
   */
  readonly textColumn?: ColumnChoice;
  /** Default: the partner of the text in a known pair; `null`: no pair. */
  readonly textPairColumn?: string | number | null;
  /**
   * Name or number; several of them hold a 0 or 1 for each label. Default: label, labels, gold_label, score, class, ...
   * `null`: the rows have no labels (prediction).
   */
  readonly labelColumn?: ColumnChoice | null;
}

/** The first of these that a table has is its text; names count without case, blanks and underscores. */
const usualText = [
  "text",
  "sentence",
  "sentence1",
  "question",
  "question1",
  "premise",
  "content",
  "review",
  "comment",
  "commenttext",
  "reviewtext",
  "tweet",
  "message",
  "utterance",
  "document",
  "article",
  "body",
  "query",
  "title",
  "headline",
];

const usualLabel = [
  "label",
  "labels",
  "goldlabel",
  "score",
  "class",
  "isduplicate",
  "quality",
  "similarity",
  "relatednessscore",
  "entailmentjudgment",
  "target",
  "category",
  "sentiment",
  "stars",
  "rating",
  "answer",
];

/** First and second texts that belong together: GLUE, SuperGLUE, NLI, question answering, retrieval, similarity. */
const usualPairs: readonly (readonly [first: string, second: string])[] = [
  ...["hypothesis", "conclusion"].map((second) => ["premise", second] as const),
  ...["sentence", "passage", "paragraph", "context", "document", "text", "answer", "answertext", "response"].map(
    (second) => ["question", second] as const,
  ),
  ...["passage", "document", "doc", "text", "producttitle", "title", "answer", "response", "positive", "sentence"].map(
    (second) => ["query", second] as const,
  ),
  ["text", "textpair"],
  ["sentence", "sentencepair"],
  ["text", "hypothesis"],
  ["context", "response"],
  ["prompt", "response"],
  ["anchor", "positive"],
  ["claim", "evidence"],
  ["headline", "articlebody"],
  ["headline", "body"],
  ["document", "summary"],
  ["article", "summary"],
  ["article", "highlights"],
  ["source", "target"],
  ["reference", "candidate"],
  ["statement", "context"],
  ["sentence", "question"],
  ["firstsentence", "secondsentence"],
  ["first", "second"],
];

/** Endings that number the two of a pair: sentence1 and sentence2, text_a and text_b, "#1 String" and "#2 String". */
const numbered: readonly (readonly [RegExp, (one: RegExpMatchArray) => string])[] = [
  [/^(.+)1$/, ([, stem]) => `${stem}2`],
  [/^1(.+)$/, ([, stem]) => `2${stem}`],
  [/^(.*(?:sentence|sent|text|question|string|phrase|document|doc|input|seq|title|s|q))a$/, ([, stem]) => `${stem}b`],
  [/^(.*(?:sentence|sent|text|question|string|phrase|document|doc|input|seq|title|s|q))0$/, ([, stem]) => `${stem}1`],
];

const plain = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

/** Columns by their plain names; the first one counts where two have the same. */
function plainColumns(table: Table): Map<string, string> {
  const columns = new Map<string, string>();
  for (const name of table.columns) if (!columns.has(plain(name))) columns.set(plain(name), name);
  return columns;
}

/** A table's second text for a first one. */
function partnerOf(first: string, columns: ReadonlyMap<string, string>): string | undefined {
  const name = plain(first);
  const counted = numbered.flatMap(([pattern, second]) => {
    const match = name.match(pattern);
    return match ? [second(match)] : [];
  });
  const named = usualPairs.filter(([one]) => one === name).map(([, second]) => second);
  const found = [...counted, ...named].find((second) => columns.has(second));
  return found === undefined ? undefined : columns.get(found);
}

/** Cells at the start of a table that say whether a column holds texts. */
const LOOKED_AT = 50;

/** Whether most of a column's cells hold several words. */
function isTextLike({ rows }: Table, column: string): boolean {
  const cells = rows.slice(0, LOOKED_AT).map(({ cells }) => cells[column]);
  const texts = cells.filter((cell) => typeof cell === "string" && /\S\s+\S/.test(cell.trim()));
  return texts.length * 2 > cells.length;
}

/** Parts of a choice: a list as it is, a text at its commas unless a column is called so. */
function partsOf(choice: ColumnChoice, { columns }: Table): readonly (string | number)[] {
  if (typeof choice === "object") return choice;
  if (typeof choice === "number" || columns.includes(choice) || !choice.includes(",")) return [choice];
  return choice.split(",").map((part) => part.trim());
}

/** A column by a name of a list: a number counts columns where none is called so. */
function columnOf(table: Table, part: string | number, option: string): string {
  const isNumber = typeof part === "string" && /^\d+$/.test(part) && !table.columns.includes(part);
  return findColumn(table, isNumber ? Number(part) : part, [], option);
}

/** The text, and its pair where there is one. */
export interface FoundTexts {
  readonly text: string;
  readonly pair: string | undefined;
}

function defaultTexts(table: Table): FoundTexts {
  const columns = plainColumns(table);
  const firsts = table.columns.flatMap((first): { text: string; pair: string }[] => {
    const pair = partnerOf(first, columns);
    return pair === undefined || pair === first ? [] : [{ text: first, pair }];
  });
  const labels = table.columns.filter((name) => usualLabel.includes(plain(name)));
  const holdsTexts = firsts.filter(({ text, pair }) => {
    // BoolQ's answers are its labels: the only column that could be.
    if (labels.length === 1 && labels[0] === pair && !isTextLike(table, pair)) return false;
    return usualText.includes(plain(text)) || (isTextLike(table, text) && isTextLike(table, pair));
  });
  // A column that is called text or sentence says more than a pair that leaves it out.
  const outright = ["text", "sentence"].map((name) => columns.get(name)).find((name) => name !== undefined);
  const [found] = holdsTexts.filter(
    ({ text, pair }) => outright === undefined || text === outright || pair === outright,
  );
  if (found) return found;
  const usual = usualText.map((name) => columns.get(name)).find((name) => name !== undefined);
  return { text: usual ?? findColumn(table, undefined, ["text", "sentence"], "textColumn"), pair: undefined };
}

/** The columns of texts. @throws GraftError `invalid-argument` naming the columns that exist */
export function findTexts(table: Table, { textColumn, textPairColumn }: TextColumns): FoundTexts {
  const parts = textColumn === undefined ? [] : partsOf(textColumn, table);
  if (parts.length > 2 || (parts.length === 2 && textPairColumn !== undefined)) {
    throw new GraftError(
      "invalid-argument",
      `textColumn names ${parts.join(", ")}${textPairColumn === undefined ? "" : `, and textPairColumn ${textPairColumn}`}`,
      "A row has a text, or a text and its pair: name one column or two.",
    );
  }
  const [first, second] = parts.map((part) => columnOf(table, part, "textColumn"));
  const found =
    first === undefined ? defaultTexts(table) : { text: first, pair: second ?? partnerOf(first, plainColumns(table)) };
  if (textPairColumn === undefined) return found;
  return {
    text: found.text,
    pair: textPairColumn === null ? undefined : findColumn(table, textPairColumn, [], "textPairColumn"),
  };
}

/** Columns that hold texts, too, and are not used; a sentence for those who might have meant them. */
export function unusedTexts(table: Table, used: readonly (string | undefined)[]): string | undefined {
  const others = table.columns.filter((column) => !used.includes(column) && isTextLike(table, column));
  if (others.length === 0) return undefined;
  const [text, pair] = used;
  const shown = others.slice(0, 5).join(", ") + (others.length > 5 ? `, ... (${others.length} in all)` : "");
  const advice = pair === undefined ? `; textColumn "${text},${others[0]}" makes pairs` : "";
  return `${table.file}: texts are read from ${[text, pair].filter((name) => name !== undefined).join(" and ")}, not from ${shown}${advice}`;
}

/** Columns that hold nothing but 0 and 1: a label each, as in Jigsaw's comments. */
function binaryColumns({ columns, rows }: Table, texts: FoundTexts): string[] {
  const isBinary = (column: string) => rows.every(({ cells }) => /^[01](?:\.0)?$/.test(String(cells[column]).trim()));
  return columns.filter((column) => column !== texts.text && column !== texts.pair && isBinary(column));
}

/**
 * The columns of labels: one, or one a label.
 * @param names where a row may have several labels: those of the classes that are known; columns that are called so hold
 *   them, else those that hold nothing but 0 and 1
 * @throws GraftError `invalid-argument` naming the columns that exist
 */
export function findLabels(
  table: Table,
  choice: ColumnChoice | undefined,
  texts: FoundTexts,
  names?: readonly string[],
): readonly string[] {
  const option = "labelColumn (null if the rows have no labels)";
  if (choice !== undefined) return partsOf(choice, table).map((part) => columnOf(table, part, option));
  const columns = plainColumns(table);
  const isFree = (name: string | undefined): name is string =>
    name !== undefined && name !== texts.text && name !== texts.pair;
  if (names && names.length > 1 && names.every((name) => table.columns.includes(name))) return names;
  const usual = usualLabel.map((name) => columns.get(name)).find(isFree);
  const binary = usual === undefined ? binaryColumns(table, texts) : [];
  if (binary.length > 1 && names !== undefined) return binary;
  if (binary.length > 1 && !columns.has("class")) {
    throw new GraftError(
      "invalid-argument",
      `${table.file} has no column of labels, and several that hold 0 and 1 alone: ${binary.join(", ")}`,
      `Set problemType to "multi_label_classification" where they are a label each, or name the column with ${option}.`,
    );
  }
  return [usual ?? findColumn(table, undefined, ["label", "labels", "score", "class"], option)];
}
