/** PEFT's task types. */
export const taskTypes = [
  "SEQ_CLS",
  "SEQ_2_SEQ_LM",
  "CAUSAL_LM",
  "TOKEN_CLS",
  "QUESTION_ANS",
  "FEATURE_EXTRACTION",
] as const;

export type TaskType = (typeof taskTypes)[number];

/**
 * Heads that a task type trains and saves besides the adapter (PEFT: the modules that each PeftModelFor... class adds
 * to `modules_to_save`).
 */
export const headNames: { readonly [T in TaskType]: readonly string[] } = {
  SEQ_CLS: ["classifier", "score"],
  SEQ_2_SEQ_LM: [],
  CAUSAL_LM: [],
  TOKEN_CLS: ["classifier", "score"],
  QUESTION_ANS: ["qa_outputs"],
  FEATURE_EXTRACTION: [],
};
