/** What pandas reads as a missing value, and people also give classes as a name. */
const missingElsewhere = new Set(["NA", "N/A", "n/a", "None", "null", "NULL"]);

/** What is left of a name where case, blanks and the encoding of its characters do not count. */
const bare = (name: string): string => name.normalize("NFKC").toLowerCase().replaceAll(/\s+/g, " ").trim();

const quoted = (name: string): string => JSON.stringify(name);

function twins(names: readonly string[]): string | undefined {
  const seen = new Map<string, string>();
  for (const name of names) {
    const other = seen.get(bare(name));
    if (other !== undefined) {
      return `the classes ${quoted(other)} and ${quoted(name)} differ in nothing but case, blanks or how their characters are encoded`;
    }
    seen.set(bare(name), name);
  }
  return undefined;
}

/** A name whose parts are classes, one of them a class that stands alone elsewhere. */
function several(names: readonly string[]): string | undefined {
  const all = new Set(names);
  for (const separator of ["|", ";", ","]) {
    const found = names.find((name) => {
      const parts = name.split(separator).map((part) => part.trim());
      return parts.length > 1 && !parts.includes("") && parts.some((part) => all.has(part));
    });
    if (found !== undefined) {
      return `${quoted(found)} is one class; where it is several labels, set problemType to "multi_label_classification"`;
    }
  }
  return undefined;
}

/** What might be a mistake in names that a column of labels came with, one sentence each. */
export function remarksOnNames(names: readonly string[]): string[] {
  const missing = names.find((name) => missingElsewhere.has(name));
  return [
    twins(names),
    several(names),
    missing === undefined ? undefined : `${quoted(missing)} is a class here; pandas reads it as a missing value`,
  ].filter((remark) => remark !== undefined);
}
