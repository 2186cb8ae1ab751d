import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as graft from "graft-peft";
import { type AutoClass, architectures, type HeadName, headOfClass, heads } from "#graft/models/index";

const exported = graft as unknown as { readonly [name: string]: AutoClass<graft.ModelOutputs> };

/** The package's class that loads models with a head. */
export const autoClassOf = (head: HeadName) => exported[heads[head].autoClass]!;

/** A golden model: its architecture, and the head that it was saved with. */
export interface GoldenModel {
  readonly name: string;
  readonly type: string;
  readonly head: HeadName;
}

const models = fileURLToPath(new URL("../golden/models", import.meta.url));

const configOf = (name: string) => JSON.parse(readFileSync(`${models}/${name}/config.json`, "utf8"));

function read(name: string): GoldenModel {
  const config = configOf(name);
  const head = headOfClass(config.architectures[0]);
  if (head === undefined) throw new Error(`${name}: no head is registered for ${config.architectures[0]}`);
  return { name, type: config.model_type, head };
}

/**
 * All models of built types that transformers wrote and ran. Tests of models go through these, so that a new one is
 * tested at once. Some goldens are there before their architecture is.
 */
export const goldenModels: readonly GoldenModel[] = readdirSync(models)
  .filter((name) => Object.hasOwn(architectures, configOf(name).model_type))
  .map(read);

/** Those with a head, which have labels and a loss. */
export const goldenClassifiers = goldenModels.filter(({ head }) => head !== "base");
