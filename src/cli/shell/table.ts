import stringWidth from "string-width";

/** How one column of a table is headed and set. */
export interface Column {
  readonly title: string;
  /** Numbers are set to the right. Default "left". */
  readonly align?: "left" | "right";
}

/** The text on one line: control characters become visible escapes, so that data cannot steer the terminal. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

function pad(text: string, width: number, align: Column["align"]): string {
  const blank = " ".repeat(Math.max(0, width - stringWidth(text)));
  return align === "right" ? blank + text : text + blank;
}

/** A table as lines: a heading, a rule and the rows, columns two blanks apart. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(oneLine));
  const widths = columns.map(({ title }, at) =>
    Math.max(stringWidth(title), ...shown.map((row) => stringWidth(row[at] ?? ""))),
  );
  const line = (row: readonly string[]) =>
    columns
      .map(({ align }, at) => pad(row[at] ?? "", widths[at] ?? 0, align))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [line(columns.map(({ title }) => title)), rule, ...shown.map(line)].join("\n");
}

/** Names and values in two columns, without a heading. */
export function renderPairs(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => stringWidth(name)));
  return pairs.map(([name, value]) => `${pad(name, width, "left")}  ${oneLine(value)}`).join("\n");
}
