import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { input } from "#graft/graph/index";
import { byToken, RelativePositions, relativeRow, Trace } from "#graft/nn/index";
import { cpuLowering } from "#graft/onnx/index";
import type { TensorData } from "#graft/tensor-data";
import { lowered, withSession } from "../graph/session.js";

interface Table {
  readonly span: number;
  readonly to: number | null;
  readonly rows: readonly (readonly [distance: number, row: number])[];
}

const tables: Table[] = JSON.parse(readFileSync(new URL("../golden/nn/relative-rows.json", import.meta.url), "utf8"));

/** The golden's rows, one for each distance. */
function rowsOf({ rows }: Table): Map<number, number> {
  const last = -(rows[0]?.[0] as number);
  const all = new Map<number, number>();
  for (const [index, [from, row]] of rows.entries()) {
    for (let distance = from; distance < (rows[index + 1]?.[0] ?? last + 1); distance++) all.set(distance, row);
  }
  return all;
}

const numbers = (tensor: TensorData | undefined): number[] => [...((tensor?.data ?? []) as Float32Array)];

test.each(tables)("$span buckets to $to: each distance has transformers' row", ({ span, to, rows }) => {
  const wanted = rowsOf({ span, to, rows });
  expect(wanted.size).toBe(2401);
  const found = new Map(
    [...wanted.keys()].map((distance) => [distance, relativeRow(distance, { span, logarithmicTo: to })]),
  );
  expect(found).toEqual(wanted);
});

test.each([
  [1, tables[3] as Table],
  [2, tables[7] as Table],
  [9, tables[7] as Table],
  [60, tables[3] as Table],
  [60, tables[7] as Table],
])("of %i tokens, each meets the vector of its distance from each", async (length, golden) => {
  const { span, to } = golden;
  const table = input("table", "float32", [2 * span, 1]);
  const trace = new Trace("eval");
  const relative = new RelativePositions(table, { span, logarithmicTo: to }, "s", 0, "");
  const { toKeys, toQueries } = relative.vectors(trace);
  expect(relative.vectors(trace).toKeys).toBe(toKeys);
  const scores = input("scores", "float32", [1, 1, "s", "2*s"]);
  // The table holds the rows' numbers, so that vectors are rows.
  const feeds = {
    table: {
      dtype: "float32" as const,
      shape: [2 * span, 1],
      data: Float32Array.from({ length: 2 * span }, (_, i) => i),
    },
    scores: {
      dtype: "float32" as const,
      shape: [1, 1, length, 2 * length],
      data: Float32Array.from({ length: 2 * length ** 2 }, (_, i) => i),
    },
  };
  const outputs = { toKeys, toQueries, apart: byToken(scores) };
  const found = await withSession(lowered(outputs, cpuLowering, [table, scores]), (go) => go(feeds));
  const rows = rowsOf(golden);
  const distances = Array.from({ length: 2 * length }, (_, place) => length - place);
  expect(numbers(found.toKeys)).toEqual(distances.map((distance) => rows.get(distance)));
  expect(numbers(found.toQueries)).toEqual(distances.map((distance) => rows.get(-distance)));
  expect(found.apart?.shape).toEqual([1, 1, length, length]);
  // The score of query i with key j stands in row i, at the place of the distance i - j.
  const wanted = Array.from({ length: length ** 2 }, (_, at) => {
    const [i, j] = [Math.floor(at / length), at % length];
    return i * 2 * length + distances.indexOf(i - j);
  });
  expect(numbers(found.apart)).toEqual(wanted);
});
