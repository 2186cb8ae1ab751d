import { CharacterClass, decodePartition, decodeRanges } from "./character-class.js";
import { type scriptSets, unicodePartitions, unicodeSets } from "./tables.js";

export type UnicodeSetName = keyof typeof unicodeSets;

const made = new Map<UnicodeSetName, CharacterClass>();

/** A set of tables.ts, decoded when it is first asked for. */
export function unicodeSet(name: UnicodeSetName): CharacterClass {
  let set = made.get(name);
  if (!set) {
    set = new CharacterClass(decodeRanges(unicodeSets[name]));
    made.set(name, set);
  }
  return set;
}

let categories: Map<string, number[]> | undefined;

/** Ranges of the general categories (Lu, Nd, ...) as Oniguruma has them. */
export function generalCategories(): Map<string, number[]> {
  categories ??= decodePartition(unicodePartitions.generalCategories);
  return categories;
}

export type ScriptName = keyof typeof scriptSets;

/** Calls back for every character with its code point. */
export function mapCharacters(text: string, map: (character: string, codePoint: number) => string): string {
  let out = "";
  for (const character of text) out += map(character, character.codePointAt(0)!);
  return out;
}

export const printableAscii = /^[\x20-\x7e]*$/;
