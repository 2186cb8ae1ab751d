import { GraftError } from "../../errors.js";
import { isJsonObject, type JsonObject } from "../../json.js";

/** What a column holds, as Python's `datasets` describes it. */
export interface Feature {
  readonly type: "Value" | "ClassLabel" | "Image" | "Sequence" | "Struct" | "Unknown";
  /** Of a Value: "string", "int64", "float32", "bool", ... */
  readonly dtype?: string;
  /** Of a ClassLabel: the classes' names by id; of others empty. */
  readonly names: readonly string[];
  /** Of a Sequence: what it holds. */
  readonly feature?: Feature;
}

/** The features by column. */
export type Features = Readonly<Record<string, Feature>>;

export const value = (dtype: string): Feature => ({ type: "Value", dtype, names: [] });
export const classLabel = (names: readonly string[]): Feature => ({ type: "ClassLabel", dtype: "int64", names });
export const image: Feature = { type: "Image", names: [] };

function namesOf(raw: unknown): string[] {
  if (Array.isArray(raw)) return raw.map(String);
  // The README writes {"0": "cat", "1": "dog"}.
  const named = isJsonObject(raw) ? (raw.class_label ?? raw) : {};
  const names = isJsonObject(named) ? (named.names ?? named) : named;
  if (Array.isArray(names)) return names.map(String);
  return isJsonObject(names)
    ? Object.entries(names)
        .sort(([a], [b]) => Number(a) - Number(b))
        .map(([, name]) => String(name))
    : [];
}

/** A feature as `datasets` writes it into Parquet files (`_type`). */
function featureOf(raw: unknown): Feature {
  if (Array.isArray(raw)) return { type: "Sequence", names: [], feature: featureOf(raw[0]) };
  if (!isJsonObject(raw)) return { type: "Unknown", names: [] };
  const type = raw._type;
  if (type === "Value") return value(String(raw.dtype));
  if (type === "ClassLabel") return classLabel(namesOf(raw.names));
  if (type === "Image") return image;
  if (type === "Sequence" || type === "List" || type === "LargeList") {
    return { type: "Sequence", names: [], feature: featureOf(raw.feature) };
  }
  return { type: type === undefined ? "Struct" : "Unknown", names: [] };
}

/** Features of a Parquet file's note. */
export function featuresOfNote(features: JsonObject): Features {
  return Object.fromEntries(Object.entries(features).map(([name, raw]) => [name, featureOf(raw)]));
}

/** A feature as a README's `dataset_info` writes it. */
function featureOfCard(raw: JsonObject): Feature {
  if (isJsonObject(raw.dtype) && raw.dtype.class_label !== undefined) return classLabel(namesOf(raw.dtype.class_label));
  if (raw.dtype === "image") return image;
  if (typeof raw.dtype === "string") return value(raw.dtype);
  const inner = raw.sequence ?? raw.list;
  if (inner === undefined) return { type: "Struct", names: [] };
  const feature =
    typeof inner === "string"
      ? value(inner)
      : isJsonObject(inner)
        ? featureOfCard({ dtype: inner })
        : featureOfCard({});
  return { type: "Sequence", names: [], feature };
}

/** Features of a README's `dataset_info`; empty where it has none. */
export function featuresOfCard(info: unknown): Features {
  const list = isJsonObject(info) && Array.isArray(info.features) ? info.features : [];
  return Object.fromEntries(
    list.flatMap((raw: unknown) =>
      isJsonObject(raw) && typeof raw.name === "string" ? [[raw.name, featureOfCard(raw)]] : [],
    ),
  );
}

/** What a column's values show. */
export function featureOfValues(values: readonly unknown[]): Feature {
  const found = values.filter((each) => each !== null && each !== undefined);
  if (found.length === 0) return value("null");
  if (found.every((each) => typeof each === "string")) return value("string");
  if (found.every((each) => typeof each === "boolean")) return value("bool");
  if (found.every((each) => typeof each === "bigint" || (typeof each === "number" && Number.isInteger(each))))
    return value("int64");
  if (found.every((each) => typeof each === "number")) return value("float64");
  if (found.every(Array.isArray))
    return { type: "Sequence", names: [], feature: featureOfValues(found.flat().slice(0, 1000)) };
  return { type: found.every(isJsonObject) ? "Struct" : "Unknown", names: [] };
}

/** A class's name. @throws GraftError `invalid-label` for an id that is none */
export function int2str({ names }: Feature, id: number): string {
  const name = names[id];
  if (name !== undefined) return name;
  throw new GraftError("invalid-label", `${id} is no class`, `Classes have the ids 0 to ${names.length - 1}.`);
}
