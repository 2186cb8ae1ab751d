/** A tensor whose shape in the file is not the model's. */
export interface MismatchedKey {
  readonly name: string;
  readonly checkpointShape: readonly number[];
  readonly modelShape: readonly number[];
}

/** How a model and a checkpoint fitted, in transformers' terms. Names are the model's, unexpected ones the file's. */
export interface LoadingReport {
  /** Parameters that the file lacks. */
  readonly missingKeys: readonly string[];
  /** Tensors of the file that belong to no parameter. */
  readonly unexpectedKeys: readonly string[];
  /** Not empty only with ignoreMismatchedSizes. */
  readonly mismatchedKeys: readonly MismatchedKey[];
  /** Of the head in the file, which is of other classes; not empty only with newHead. */
  readonly replacedKeys: readonly string[];
  /** Missing, mismatched and replaced: these were given fresh values. */
  readonly newlyInitialized: readonly string[];
}

export const emptyReport: LoadingReport = {
  missingKeys: [],
  unexpectedKeys: [],
  mismatchedKeys: [],
  replacedKeys: [],
  newlyInitialized: [],
};

/** "a, b, c and 9 more". */
export function listSome(names: readonly string[], most = 6): string {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/** One line on what did not fit, "" where all did. */
export function formatLoadingReport(report: LoadingReport, className: string, source: string): string {
  const { missingKeys, unexpectedKeys, mismatchedKeys, replacedKeys, newlyInitialized } = report;
  const parts: string[] = [];
  if (missingKeys.length > 0) parts.push(`newly initialised, because the file lacks them: ${listSome(missingKeys)}`);
  if (mismatchedKeys.length > 0) {
    const shapes = mismatchedKeys.map((key) => `${key.name} [${key.checkpointShape}] -> [${key.modelShape}]`);
    parts.push(`newly initialised, because the shapes differ: ${listSome(shapes)}`);
  }
  if (replacedKeys.length > 0) {
    parts.push(`newly initialised, because the file's head is of other classes: ${listSome(replacedKeys)}`);
  }
  if (unexpectedKeys.length > 0) parts.push(`in the file, but not used: ${listSome(unexpectedKeys)}`);
  if (parts.length === 0) return "";
  const advice = newlyInitialized.length > 0 ? ". Train the model before you use its predictions." : "";
  return `${className} from ${source}: ${parts.join("; ")}${advice}`;
}
