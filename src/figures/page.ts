import { escaped } from "./svg.js";

const style = `
:root{color-scheme:light dark;--ink:#1b1f24;--quiet:#5b6570;--paper:#fff;--card:#f6f7f9;--rule:#dde1e6;
--t0:#3b5bdb;--t1:#d9480f;--t2:#2b8a3e;--t3:#9c36b5;--t4:#a67c00;--t5:#0b7285}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--quiet:#9aa4af;--paper:#15181c;--card:#1e2227;--rule:#343a41;
--t0:#8ea2ff;--t1:#ff9a62;--t2:#69db7c;--t3:#e599f7;--t4:#ffd43b;--t5:#66d9e8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1120px;padding:24px 16px 64px;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:24px;line-height:1.25;margin:0 0 8px;overflow-wrap:anywhere}h2{font-size:18px;margin:36px 0 6px}
p{max-width:70ch;margin:6px 0 12px;color:var(--quiet);overflow-wrap:anywhere}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,320px),1fr));gap:12px;align-items:start;margin:12px 0}
.figures>div{background:var(--card);border-radius:8px;padding:10px}
svg{display:block;max-width:100%;height:auto;font:12px system-ui,sans-serif;fill:var(--ink)}
svg .title{font-weight:600}svg .quiet{fill:var(--quiet)}svg .grid{stroke:var(--rule)}svg .line{fill:none;stroke-width:1.6}
${Array.from({ length: 6 }, (_, tone) => `.line.tone${tone}{stroke:var(--t${tone})}.dot.tone${tone}{fill:var(--t${tone})}`).join("")}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px}
th,td{padding:4px 10px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{color:var(--quiet);font-weight:600}th:first-child,td:first-child{text-align:left;padding-left:0}
`;

/** One part of a page: a heading, a word of explanation, figures (SVG) and a table. */
export interface Part {
  readonly heading: string;
  readonly text?: string;
  readonly figures?: readonly string[];
  readonly table?: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
}

function tableOf({ head, rows }: NonNullable<Part["table"]>): string {
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="scroll" tabindex="0"><table><thead>${row(head, "th")}</thead><tbody>${rows.map((cells) => row(cells, "td")).join("\n")}</tbody></table></div>`;
}

function partOf({ heading, text, figures = [], table }: Part): string {
  return [
    `<section><h2>${escaped(heading)}</h2>`,
    text === undefined ? "" : `<p>${escaped(text)}</p>`,
    figures.length > 0 ? `<div class="figures">${figures.map((svg) => `<div>${svg}</div>`).join("\n")}</div>` : "",
    table === undefined ? "" : tableOf(table),
    "</section>",
  ].join("\n");
}

/** A page in one file, light or dark as the reader's system is, that loads nothing. */
export function page(title: string, text: string, parts: readonly Part[]): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escaped(title)}</title><style>${style}</style></head>
<body><h1>${escaped(title)}</h1><p>${escaped(text)}</p>
${parts.map(partOf).join("\n")}
</body></html>
`;
}
