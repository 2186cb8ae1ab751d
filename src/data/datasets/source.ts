import type { Features } from "./features.js";

/** A row: its values by column. Pictures are what `loadImage` takes until the dataset decodes them. */
export type Row = Readonly<Record<string, unknown>>;

/** Rows that lie somewhere, read in parts. */
export interface RowSource {
  /** For messages. */
  readonly name: string;
  readonly length: number;
  readonly features: Features;
  row(index: number): Promise<Row>;
  /** The file and line of a row, for messages. */
  place(index: number): string;
}

/** Rows in memory. */
export function memorySource(
  name: string,
  rows: readonly Row[],
  features: Features,
  places?: readonly string[],
): RowSource {
  return {
    name,
    length: rows.length,
    features,
    row: async (index) => rows[index] as Row,
    place: (index) => places?.[index] ?? `row ${index} of ${name}`,
  };
}

/** Rows of several sources, one after another. */
export function joinedSource(name: string, sources: readonly RowSource[]): RowSource {
  const [only] = sources;
  if (sources.length === 1 && only !== undefined) return only;
  const starts: number[] = [];
  let length = 0;
  for (const source of sources) {
    starts.push(length);
    length += source.length;
  }
  const find = (index: number): [RowSource, number] => {
    let at = starts.length - 1;
    while (at > 0 && (starts[at] as number) > index) at--;
    return [sources[at] as RowSource, index - (starts[at] as number)];
  };
  return {
    name,
    length,
    features: Object.assign({}, ...sources.map(({ features }) => features)),
    row: (index) => {
      const [source, at] = find(index);
      return source.row(at);
    },
    place: (index) => {
      const [source, at] = find(index);
      return source.place(at);
    },
  };
}
