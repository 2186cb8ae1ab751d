import { CharacterClass, decodePartition } from "./character-class.js";
import { unicodeSet } from "./classes.js";
import { unicodePartitions } from "./tables.js";

type Break =
  | "Any"
  | "CR"
  | "LF"
  | "Control"
  | "Extend"
  | "L"
  | "LV"
  | "LVT"
  | "Prepend"
  | "Regional_Indicator"
  | "SpacingMark"
  | "T"
  | "V"
  | "ZWJ"
  | "Pictographic"
  | "Consonant";

let classes: [Break, CharacterClass][] | undefined;

function breakOf(code: number): Break {
  if (code >= 0x20 && code <= 0x7e) return "Any";
  if (code === 0x0a) return "LF";
  if (code === 0x0d) return "CR";
  if (code >= 0xac00 && code <= 0xd7a3) return (code - 0xac00) % 28 === 0 ? "LV" : "LVT";
  classes ??= [...decodePartition(unicodePartitions.graphemeBreaks)].map(([name, ranges]) => [
    name as Break,
    new CharacterClass(ranges),
  ]);
  return classes.find(([, set]) => set.has(code))?.[0] ?? "Any";
}

const isControl = (kind: Break) => kind === "Control" || kind === "CR" || kind === "LF";
const hangul: { readonly [before in Break]?: readonly Break[] } = {
  L: ["L", "V", "LV", "LVT"],
  LV: ["V", "T"],
  V: ["V", "T"],
  LVT: ["T"],
  T: ["T"],
};

/** What stands before a boundary, kept as the text is read. */
interface Context {
  kind: Break;
  /** Regional indicators in a row up to here. */
  regional: number;
  /** A pictograph, then any extending characters, up to here. */
  pictographic: boolean;
  /** The same with a zero-width joiner at the end. */
  joined: boolean;
  /** An Indic consonant, then linkers and extending characters, up to here; `linked` once a linker came. */
  consonant: boolean;
  linked: boolean;
}

function isBoundary(before: Context, after: Break): boolean {
  if (before.kind === "CR" && after === "LF") return false;
  if (isControl(before.kind) || isControl(after)) return true;
  if (hangul[before.kind]?.includes(after)) return false;
  if (after === "Extend" || after === "ZWJ" || after === "SpacingMark" || before.kind === "Prepend") return false;
  if (after === "Consonant" && before.consonant && before.linked) return false;
  if (after === "Pictographic" && before.joined) return false;
  return !(after === "Regional_Indicator" && before.regional % 2 === 1);
}

function follow(before: Context | undefined, kind: Break, code: number): Context {
  const linker = unicodeSet("incbLinker").has(code);
  const extending = linker || unicodeSet("incbExtend").has(code);
  return {
    kind,
    regional: kind === "Regional_Indicator" ? (before?.regional ?? 0) + 1 : 0,
    pictographic: kind === "Pictographic" || (kind === "Extend" && (before?.pictographic ?? false)),
    joined: kind === "ZWJ" && (before?.pictographic ?? false),
    consonant: kind === "Consonant" || (extending && (before?.consonant ?? false)),
    linked: kind !== "Consonant" && extending && ((before?.linked ?? false) || linker),
  };
}

/** Extended grapheme clusters of Unicode 17, as Rust's unicode-segmentation finds them. */
export function graphemes(text: string): string[] {
  const clusters: string[] = [];
  let cluster = "";
  let before: Context | undefined;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const kind = breakOf(code);
    if (before && isBoundary(before, kind)) {
      clusters.push(cluster);
      cluster = "";
    }
    cluster += character;
    before = follow(before, kind, code);
  }
  if (cluster !== "") clusters.push(cluster);
  return clusters;
}
