import { fromByteLevel } from "./stages/byte-level.js";

/** Where a token stands in the UTF-8 bytes of its text; null for one whose place is not known. */
export type Place = readonly [start: number, end: number] | null;

/** A token as it stands in the vocabulary. */
export interface Surface {
  readonly token: string;
  /** An added token stands for its own text, whatever the stages make of others. */
  readonly isAdded: boolean;
  readonly isUnknown: boolean;
}

const encoder = new TextEncoder();
const SPACE = 0x20;
const isBlank = (byte: number | undefined): boolean =>
  byte === SPACE || (byte !== undefined && byte >= 9 && byte <= 13);

function bytesOf({ token, isAdded }: Surface, isByteLevel: boolean): Uint8Array {
  if (isAdded) return encoder.encode(token);
  if (isByteLevel) return fromByteLevel(token);
  const byte = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1];
  if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
  return encoder.encode(token.replace(/^##/, "").replaceAll("\u2581", " "));
}

function startsWith(text: Uint8Array, part: Uint8Array, at: number): boolean {
  if (at + part.length > text.length) return false;
  for (let i = 0; i < part.length; i++) if (text[at + i] !== part[i]) return false;
  return true;
}

/** Where a token begins from `at` on: there, behind blanks that no token stands for, or without a space put before it. */
function find(text: Uint8Array, part: Uint8Array, at: number): Place {
  for (let start = at; ; start++) {
    if (startsWith(text, part, start)) return [start, start + part.length];
    if (part[0] === SPACE && startsWith(text, part.subarray(1), start)) return [start, start + part.length - 1];
    if (!isBlank(text[start])) return null;
  }
}

/**
 * The places of tokens in their text, found by what the tokens stand for.
 * @returns undefined where the tokens do not spell the text, as behind a normaliser that changes letters
 */
export function tokenPlaces(
  text: string,
  surfaces: readonly Surface[],
  isByteLevel: boolean,
): readonly Place[] | undefined {
  const bytes = encoder.encode(text);
  const places: Place[] = [];
  let at = 0;
  let isGap = false;
  for (const surface of surfaces) {
    if (surface.isUnknown) {
      places.push(null);
      isGap = true;
      continue;
    }
    const part = bytesOf(surface, isByteLevel);
    let place = find(bytes, part, at);
    while (place === null && isGap && at < bytes.length) place = find(bytes, part, ++at);
    if (place === null) return undefined;
    isGap = false;
    places.push(place);
    at = place[1];
  }
  while (!isGap && at < bytes.length) if (!isBlank(bytes[at++])) return undefined;
  return closeGaps(places, bytes.length);
}

/** Unknown tokens lie between their neighbours. */
function closeGaps(places: readonly Place[], length: number): readonly Place[] {
  return places.map((place, index) => {
    if (place !== null) return place;
    const before = places.slice(0, index).findLast((other) => other !== null)?.[1] ?? 0;
    return [before, places.slice(index).find((other) => other !== null)?.[0] ?? length];
  });
}

/** Characters of a text (UTF-16) from `start` to `end`, the latter not included. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** 1 for each token that stands for some of what the spans hold. */
export function markSpans(text: string, places: readonly Place[], spans: readonly Span[]): Int32Array {
  const mask = new Int32Array(places.length);
  for (const { start, end } of spans) {
    const from = encoder.encode(text.slice(0, start)).length;
    const to = from + encoder.encode(text.slice(start, end)).length;
    places.forEach((place, index) => {
      if (place !== null && place[0] < to && place[1] > from) mask[index] = 1;
    });
  }
  return mask;
}

/**
 * The same by prefixes, where places are not known: a span ends where the ids of the text up to there do.
 * @returns undefined where a prefix has other ids than the whole
 */
export function markPrefixes(
  text: string,
  ids: readonly number[],
  spans: readonly Span[],
  idsOf: (text: string) => readonly number[],
): Int32Array | undefined {
  const countUpTo = (end: number): number | undefined => {
    const prefix = idsOf(text.slice(0, end));
    return prefix.every((id, index) => id === ids[index]) ? prefix.length : undefined;
  };
  const mask = new Int32Array(ids.length);
  for (const { start, end } of spans) {
    const [from, to] = [countUpTo(start), countUpTo(end)];
    if (from === undefined || to === undefined) return undefined;
    mask.fill(1, from, to);
  }
  return mask;
}
