import { ignoredLabel } from "../../problem-type.js";
import type { LanguageRow } from "./fit.js";

interface Bin {
  readonly rows: LanguageRow[];
  room: number;
}

/** Rows put together by best fit, longest first: each goes where it leaves the least room. */
function binsOf(rows: readonly LanguageRow[], capacity: number): Bin[] {
  const bins: Bin[] = [];
  // Bins by their room, so that the best one is found without a walk over all.
  const byRoom: Bin[][] = Array.from({ length: capacity + 1 }, () => []);
  const sorted = [...rows].sort((a, b) => b.inputIds.length - a.inputIds.length);
  for (const row of sorted) {
    const { length } = row.inputIds;
    let room = length;
    while (room <= capacity && byRoom[room]!.length === 0) room++;
    const bin = byRoom[room]?.pop() ?? { rows: [], room: capacity };
    if (bin.rows.length === 0) bins.push(bin);
    bin.rows.push(row);
    bin.room -= length;
    byRoom[bin.room]!.push(bin);
  }
  return bins;
}

function joined(rows: readonly LanguageRow[]): LanguageRow {
  const length = rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  const pack = {
    inputIds: new Int32Array(length),
    labels: new Int32Array(length),
    segmentIds: new Int32Array(length),
    positionIds: new Int32Array(length),
  };
  let at = 0;
  rows.forEach(({ inputIds, labels }, segment) => {
    pack.inputIds.set(inputIds, at);
    pack.labels.set(labels, at);
    // The token before it is another row's, which does not predict it.
    pack.labels[at] = ignoredLabel;
    pack.segmentIds.fill(segment, at, at + inputIds.length);
    for (let i = 0; i < inputIds.length; i++) pack.positionIds[at + i] = i;
    at += inputIds.length;
  });
  return pack;
}

/**
 * Packs rows into fewer ones of up to `capacity` tokens. No token sees another row's: segment ids say which tokens belong
 * together, and positions begin anew in each.
 * @param rows none longer than `capacity`
 */
export function packRows(rows: readonly LanguageRow[], capacity: number): LanguageRow[] {
  return binsOf(rows, capacity).map((bin) => joined(bin.rows));
}
