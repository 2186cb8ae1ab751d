/** Options that say which model a command opens and what computes. */
export const sourceKeys = ["model", "labels", "problemType", "allowMissing", "backend", "threads"] as const;

/** What `labels` means where a model is opened that has its classes already. */
export const sourceHelp = {
  labels: "Names of the classes in the order of their ids. Default: those of graft.json or config.json",
  problemType: "What labels are. Default: what graft.json or config.json says",
} as const;

/** Options of the section data that say how a table is read. */
export const tableKeys = [
  "format",
  "delimiter",
  "quoting",
  "header",
  "textColumn",
  "textPairColumn",
  "labelColumn",
  "labelSeparator",
  "maxLength",
  "padToken",
] as const;

/** Options of the section data that say what a language model learns. */
export const languageKeys = ["assistantOnly", "completionOnly", "packing", "tooLong", "chatTemplate"] as const;
