import type { LanguageRow } from "../../data/index.js";
import { Tokenizer } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import { ignoredLabel } from "../../problem-type.js";
import { tasks } from "../../tasks/index.js";
import { dataOptions, languageOptions } from "../data/options.js";
import type { Run } from "../definition/run.js";
import { loadClassifier } from "../models/open.js";
import { resolveSource } from "../models/source.js";
import { heard, type Notices } from "../notices.js";

/** A token of a row, as the vocabulary has it. */
export interface InspectedToken {
  readonly id: number;
  readonly token: string;
  /** Whether the model learns to predict it. */
  readonly learnt: boolean;
  /** In a pack, the row that it is of, from 0. */
  readonly segment?: number;
}

/** The rows of a data file as a language model is taught them. */
export interface InspectedData {
  /** All rows that the file makes. */
  readonly rows: number;
  readonly tokens: number;
  readonly learnt: number;
  /** The first rows. */
  readonly shown: readonly (readonly InspectedToken[])[];
}

const learns = ({ labels }: LanguageRow, index: number): boolean => index > 0 && labels[index] !== ignoredLabel;

/**
 * Shows how a language model would be taught a file: the tokens of its first rows, and which of them are learnt.
 * @param folder of the model, or of an adapter, whose settings then count
 * @param run the options of its section data
 * @throws GraftError whatever is wrong with the data; `unsupported` for a model that is no language model
 */
export async function inspectData(
  path: string,
  folder: string,
  run: Pick<Run, "data">,
  { rows = 3, ...notices }: { readonly rows?: number } & Notices = {},
): Promise<InspectedData> {
  const { onWarning, onInfo } = heard(notices);
  const source = await resolveSource(folder);
  const task = tasks[source.task];
  if (task.learns !== "tokens") {
    throw new GraftError(
      "unsupported",
      `${folder} is a model for ${source.task}, which learns labels and no tokens`,
      "Name a language model; the data of other tasks is shown by what graft train says of it.",
    );
  }
  const { network } = await loadClassifier(source.task, source.base, { withWeights: false, onWarning });
  const processing = await task.processing({
    folder: source.processing,
    network,
    maxLength: run.data.maxLength ?? source.settings?.maxLength,
    language: { ...source.settings?.language, ...languageOptions(run.data) },
    onInfo,
  });
  const { examples } = await task.read(path, dataOptions(run.data, { limit: run.data.trainLimit, onInfo }));
  const dataset = processing.dataset(examples, "train");
  const tokenizer = await Tokenizer.fromFolder(source.processing);
  const made = await Promise.all(
    Array.from({ length: dataset.length }, (_, index) => dataset.get(index, { seed: 0, epoch: 0 }) as LanguageRow),
  );
  const shown = made.slice(0, rows).map((row) => {
    const tokens = tokenizer.convertIdsToTokens(row.inputIds);
    return tokens.map((token, index): InspectedToken => {
      const segment = row.segmentIds?.[index];
      return { id: row.inputIds[index]!, token, learnt: learns(row, index), ...(segment !== undefined && { segment }) };
    });
  });
  return {
    rows: made.length,
    tokens: made.reduce((sum, { inputIds }) => sum + inputIds.length, 0),
    learnt: made.reduce((sum, row) => sum + row.labels.filter((_, index) => learns(row, index)).length, 0),
    shown,
  };
}
