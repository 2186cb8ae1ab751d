/** What the COCO caption scripts leave out of words. */
const dropped = new Set([
  "''",
  "'",
  "``",
  "`",
  "-lrb-",
  "-rrb-",
  "-lcb-",
  "-rcb-",
  ".",
  "?",
  "!",
  ",",
  ":",
  "-",
  "--",
  "...",
  ";",
]);

/** Words whose period is their own, unless they end the text. */
const abbreviations = /^(mr|mrs|ms|dr|st|vs|etc|inc|ltd|co|corp|jr|sr|prof|gen|col|no|approx|[a-z](\.[a-z])*)\.$/;

/** How the tokeniser writes currencies: the Treebank knew no others. */
const currencies: Readonly<Record<string, string>> = { "£": "#", "€": "$" };

/** Words that are written as one and are two. */
const joined: Readonly<Record<string, readonly string[]>> = {
  cannot: ["can", "not"],
  gonna: ["gon", "na"],
  gotta: ["got", "ta"],
  wanna: ["wan", "na"],
  gimme: ["gim", "me"],
  lemme: ["lem", "me"],
};

const contraction = /^(.+?)(n't|'(?:s|m|d|re|ve|ll))$/;

/** Endings off a word: contractions and words of two. */
function cut(word: string): string[] {
  const two = joined[word];
  if (two) return [...two];
  const found = contraction.exec(word);
  return found ? [...cut(found[1] as string), found[2] as string] : [word];
}

/** Punctuation off a piece between blanks, from outside inwards. */
function pieces(text: string, isLast: boolean): string[] {
  if (text === "") return [];
  const number = /^[-+]?\d[\d,]*(\.\d+)?/.exec(text);
  const before = /^(\.\.\.|--+|[£$€¥#%&@"“”‘’'`()[\]{}.,!?;:*/<>=~])/.exec(text);
  if (before && !/^'(s|m|d|re|ve|ll)$/.test(text) && !(number && text.startsWith("."))) {
    const mark = before[0];
    return [mark, ...pieces(text.slice(mark.length), isLast)];
  }
  const after = /(\.\.\.|--+|[£$€¥#%"“”‘’'`()[\]{},!?;:*/<>=~])$/.exec(text);
  if (after) {
    const mark = after[0];
    return [...pieces(text.slice(0, -mark.length), false), mark];
  }
  if (text.endsWith(".") && (isLast || !abbreviations.test(text))) return [...pieces(text.slice(0, -1), false), "."];
  const inner = /^(.+?)(\.\.\.|--+|[,!?;:"“”()[\]{}](?!\d))(.+)$/.exec(text);
  if (inner && !/^[\w-]+(:\/\/|@)/.test(text)) {
    return [...pieces(inner[1] as string, false), inner[2] as string, ...pieces(inner[3] as string, isLast)];
  }
  const money = /^([£$€¥])(.+)$/.exec(text);
  if (money) return [money[1] as string, ...pieces(money[2] as string, isLast)];
  const range = /^(.+?)(-?)([£$€¥]\d.*)$/.exec(text);
  if (range) {
    const [, first, dash, second] = range as unknown as [string, string, string, string];
    return [...pieces(first, false), ...(dash ? [dash] : []), ...pieces(second, isLast)];
  }
  return cut(text);
}

/**
 * Words in lower case as Stanford's Penn Treebank tokeniser has them, without punctuation, for ROUGE-L and CIDEr. Its rules for
 * plain sentences are here; dates, addresses, emoticons and markup are not.
 */
export function pennTokens(text: string): string[] {
  const parts = text.toLowerCase().trim().split(/\s+/);
  return parts
    .flatMap((part, index) => pieces(part, index === parts.length - 1))
    .map((word) => currencies[word] ?? word)
    .filter((word) => !dropped.has(word) && !/^[()[\]{}"“”‘’]$/.test(word));
}
