/** How one column of a table is headed and set. */
export interface Column {
  readonly title: string;
  /** Numbers are set to the right. Default "left". */
  readonly align?: "left" | "right";
}

/** Columns that a character takes on a terminal: 2 for the wide scripts of East Asia and for pictographs. */
function cells(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (/\p{Mark}/u.test(character)) return 0;
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}

/** Columns that a text takes on a terminal. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += cells(character);
  return width;
}

/** The text on one line: control characters become visible escapes, so that data cannot steer the terminal. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

function pad(text: string, width: number, align: Column["align"]): string {
  const blank = " ".repeat(Math.max(0, width - displayWidth(text)));
  return align === "right" ? blank + text : text + blank;
}

/** A table as lines: a heading, a rule and the rows, columns two blanks apart. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(oneLine));
  const widths = columns.map(({ title }, at) =>
    Math.max(displayWidth(title), ...shown.map((row) => displayWidth(row[at] ?? ""))),
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
  const width = Math.max(0, ...pairs.map(([name]) => displayWidth(name)));
  return pairs.map(([name, value]) => `${pad(name, width, "left")}  ${oneLine(value)}`).join("\n");
}
