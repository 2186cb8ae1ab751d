import { GraftError } from "../errors.js";

/** What a system wrote for one input, and what people wrote: at least one text. */
export interface Example {
  readonly output: string;
  readonly references: readonly string[];
}

/** The same in words. */
export interface TokenizedExample {
  readonly output: readonly string[];
  readonly references: readonly (readonly string[])[];
}

/** @throws GraftError `empty-dataset` for no examples, and for an example without references */
export function requireExamples(examples: readonly Example[]): void {
  const bare = examples.findIndex(({ references }) => references.length === 0);
  if (examples.length > 0 && bare < 0) return;
  throw new GraftError(
    "empty-dataset",
    bare < 0 ? "there are no outputs to score" : `output ${bare + 1} has no reference`,
    "Give each output at least one reference.",
  );
}

export function tokenized(examples: readonly Example[], tokenize: (text: string) => string[]): TokenizedExample[] {
  return examples.map(({ output, references }) => ({ output: tokenize(output), references: references.map(tokenize) }));
}
