/** Western punctuation but for "'", "-", "." and ",". */
const punctuation = /[{-~[-` -&(-+:-@/]/g;

const entities: readonly (readonly [string, string])[] = [
  ["&quot;", '"'],
  ["&amp;", "&"],
  ["&lt;", "<"],
  ["&gt;", ">"],
];

/** Words in lower case as NIST's mteval-v13a has them, for BLEU and NIST. */
export function mtevalTokens(text: string): string[] {
  let line = text.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ");
  for (const [entity, character] of entities) line = line.replaceAll(entity, character);
  const spaced = ` ${line} `
    .replace(punctuation, " $& ")
    // Periods and commas stay within numbers, and dashes go from behind digits.
    .replace(/([^0-9])([.,])/g, "$1 $2 ")
    .replace(/([.,])([^0-9])/g, " $1 $2")
    .replace(/([0-9])(-)/g, "$1 $2 ");
  return spaced
    .trim()
    .split(/\s+/)
    .map((word) => word.toLowerCase());
}
