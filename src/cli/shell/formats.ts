import { UsageError } from "../spelling/usage-error.js";
import { print, printJson } from "./print.js";
import { type Column, renderTable } from "./table.js";

/** How a table can be printed: for terminals unless a flag names another form. */
export interface TableFormats {
  readonly latex?: true;
  readonly markdown?: true;
  readonly json?: true;
}

/** LaTeX's own characters, written so that they are seen. */
const latex = (text: string): string =>
  text.replace(/[\\{}$&#_%^~]/g, (character) =>
    character === "\\"
      ? "\\textbackslash{}"
      : character === "^" || character === "~"
        ? `\\${character}{}`
        : `\\${character}`,
  );

function latexTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `${cells.map(latex).join(" & ")} \\\\`;
  return [
    `\\begin{tabular}{${columns.map(({ align }) => (align === "right" ? "r" : "l")).join("")}}`,
    "\\hline",
    line(columns.map(({ title }) => title)),
    "\\hline",
    ...rows.map(line),
    "\\hline",
    "\\end{tabular}",
  ].join("\n");
}

function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = columns.map(({ align }) => (align === "right" ? "---:" : "---"));
  return [line(columns.map(({ title }) => title)), line(rule), ...rows.map(line)].join("\n");
}

/** Prints a table in the form that flags ask for, or the value as JSON. @throws UsageError for several forms at once */
export function printTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  value: unknown,
  formats: TableFormats,
): void {
  const asked = (["latex", "markdown", "json"] as const).filter((name) => formats[name]);
  if (asked.length > 1) throw new UsageError(`--${asked.join(" and --")}`, "Ask for one form.");
  if (formats.json) {
    printJson(value);
    return;
  }
  const render = formats.latex ? latexTable : formats.markdown ? markdownTable : renderTable;
  print(render(columns, rows));
}
