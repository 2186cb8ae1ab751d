/** GPT-2's printable characters for the 256 bytes. */
const characterOf: string[] = [];
const byteOf = new Map<string, number>();

let next = 256;
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const character = String.fromCharCode(printable ? byte : next++);
  characterOf.push(character);
  byteOf.set(character, byte);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const plain = /^[!-~]*$/;

/** A text's UTF-8 bytes, each as its printable character. */
export function toByteLevel(text: string): string {
  if (plain.test(text)) return text;
  if (text.charCodeAt(0) === 0x20) {
    const rest = text.slice(1);
    if (plain.test(rest)) return `${characterOf[0x20]}${rest}`;
  }
  let out = "";
  for (const byte of encoder.encode(text)) out += characterOf[byte];
  return out;
}

/** The bytes that a token stands for; a token with any other character stands for its own UTF-8. */
export function fromByteLevel(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = byteOf.get(character);
    if (byte === undefined) return encoder.encode(token);
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** UTF-8 with U+FFFD for what is none. */
export function utf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
