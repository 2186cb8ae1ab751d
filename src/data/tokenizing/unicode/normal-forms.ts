import { unicodeSet } from "./classes.js";

export type NormalForm = "NFC" | "NFD" | "NFKC" | "NFKD";

const belowNormalization = /^[\0-\u00a0]*$/;

/**
 * A Unicode normal form as the Rust crate of an older Unicode gives it: characters that it does not know stay as they
 * are and keep their neighbours apart, whatever the JavaScript engine knows of them.
 */
export function normalForm(text: string, form: NormalForm): string {
  if (belowNormalization.test(text) && !text.includes("\u00a0")) return text;
  const inert = unicodeSet("inertInNormalization");
  let out = "";
  let start = 0;
  let position = 0;
  for (const character of text) {
    const end = position + character.length;
    if (inert.has(character.codePointAt(0)!)) {
      out += text.slice(start, position).normalize(form) + character;
      start = end;
    }
    position = end;
  }
  return out + text.slice(start).normalize(form);
}
