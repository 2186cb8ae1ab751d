/** Flags that are options of generation: name, value in help, what it says, how it is read. */
export const generationFlags = [
  ["maxNewTokens", "<n>", "most new tokens of a text (default: generation_config.json's, or 20)", "count"],
  ["minNewTokens", "<n>", "fewest new tokens of a text", "number"],
  ["doSample", "", "draw tokens by their probability instead of taking the likeliest", "switch"],
  ["temperature", "<t>", "below 1 makes likely tokens likelier, above 1 less so", "number"],
  ["topK", "<k>", "draw among the k likeliest tokens alone; 0: among all", "number"],
  ["topP", "<p>", "draw among the likeliest tokens that together have the probability p", "number"],
  ["minP", "<p>", "draw among tokens at least p times as likely as the likeliest", "number"],
  ["repetitionPenalty", "<x>", "above 1 makes tokens that were there less likely", "number"],
  ["noRepeatNgramSize", "<n>", "no n tokens in a row occur twice; 0: they may", "number"],
  ["numBeams", "<n>", "beams of a beam search", "count"],
  ["lengthPenalty", "<x>", "of beams: above 0 favours long texts", "number"],
  ["earlyStopping", "", "of beams: end as soon as there are as many texts as beams", "switch"],
  ["numReturnSequences", "<n>", "texts for each prompt", "count"],
  ["seed", "<n>", "decides what is drawn (default: 0)", "number"],
] as const satisfies readonly (readonly [
  key: string,
  value: string,
  help: string,
  read: "count" | "number" | "switch",
])[];
