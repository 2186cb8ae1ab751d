import { mapCharacters, printableAscii } from "./classes.js";
import { lowercase } from "./tables.js";

let lower: Map<number, string> | undefined;

function lowerMap(): Map<number, string> {
  if (lower) return lower;
  lower = new Map<number, string>();
  const numbers = lowercase.runs.split(" ").map((digits) => Number.parseInt(digits, 36));
  for (let i = 0; i + 3 < numbers.length; i += 4) {
    const [first, count, step, distance] = [numbers[i]!, numbers[i + 1]!, numbers[i + 2]!, numbers[i + 3]!];
    for (let k = 0; k < count; k++) lower.set(first + k * step, String.fromCodePoint(first + k * step + distance));
  }
  for (const [character, to] of Object.entries(lowercase.longer)) lower.set(character.codePointAt(0)!, to);
  return lower;
}

/** Lower case as Rust makes it: one character at a time, so that there is no final sigma. */
export function lowerEach(text: string): string {
  if (printableAscii.test(text)) return text.toLowerCase();
  const map = lowerMap();
  return mapCharacters(text, (character, code) => map.get(code) ?? character);
}
