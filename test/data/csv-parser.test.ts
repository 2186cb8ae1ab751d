import { describe, expect, it } from "vitest";
import * as node from "#graft/data/readers/csv-node";
import * as web from "#graft/data/readers/csv-web";

const tables = [
  "text,label\ngood day,1\nbad,0\n",
  'text,label\r\n"a ""quoted"" text, with a comma",1\r\n"two\nlines",0',
  "\ufefftext,label\nZoë 中文 👍🏽,1\n",
  'text\tlabel\nlone " quote\t1\n',
  "a,b,c\n1,2\n",
  'a,b\n"open,1\n',
  "",
];

/** What a parser makes of a table: its rows, or its error's code. */
function outcome({ parse, CsvError }: typeof node | typeof web, table: string, options: object): unknown {
  try {
    return parse(table, options);
  } catch (error) {
    if (error instanceof CsvError) return error.code;
    throw error;
  }
}

describe("the CSV parser of browsers", () => {
  it.each(tables)("reads as the one of Node: %j", (table) => {
    for (const options of [
      {},
      { bom: true },
      { delimiter: "\t", quote: null },
      { relax_column_count: true, info: true },
    ]) {
      expect(outcome(web, table, options)).toEqual(outcome(node, table, options));
    }
  });
});
