import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { GraftError } from "#graft/errors";
import { Conv1D, Embedding, Linear, Module, ModuleList, normal, PatchProjection } from "#graft/nn/index";
import { LoraConfig, tuners } from "#graft/peft/index";
import type { NamedModule } from "#graft/peft/matching/named-module";
import { patternValue } from "#graft/peft/matching/patterns";
import { absentSavedModules, selectSavedModules } from "#graft/peft/matching/saved-modules";
import { excludesAny, selectTargets, type TargetKind } from "#graft/peft/matching/select";
import { goldenPath } from "./numbers.js";

interface Result {
  /** Places in the tree: "0-2,5". */
  readonly targets?: string;
  readonly saved?: string | readonly string[];
  readonly ranks?: readonly (readonly [r: number, scaling: number, targets: string])[];
  readonly error?: string;
  readonly warns?: readonly string[];
}

interface Golden {
  readonly trees: Readonly<Record<string, { readonly modules: readonly (readonly [path: string, kind: string])[] }>>;
  readonly cases: Readonly<Record<string, readonly (readonly [tree: string, config: object, result: Result])[]>>;
}

const golden: Golden = JSON.parse(readFileSync(goldenPath("peft-matching.json"), "utf8"));

class Other extends Module {}

const classes: Readonly<Record<string, () => Module>> = {
  Linear: () => new Linear(1, 1),
  Embedding: () => new Embedding(1, 1),
  Conv2d: () => new PatchProjection(1, [1, 1, 1], normal(1)),
  Conv1D: () => new Conv1D(1, 1),
  ModuleList: () => new ModuleList([]),
};

/** A tree of PEFT's, as modules of Graft's kinds. */
function treeOf(name: string, without = ""): { modules: NamedModule[]; placeOf: ReadonlyMap<Module, number> } {
  const placed = (golden.trees[name]?.modules ?? []).map(([path, kind], place) => {
    const module = (classes[kind] ?? (() => new Other()))();
    module.path = path;
    return { place, kind, named: { module, names: [path] } };
  });
  const kept = placed.filter(({ kind }) => kind !== without);
  return {
    modules: kept.map(({ named }) => named),
    placeOf: new Map(kept.map(({ named, place }) => [named.module, place])),
  };
}

const trees = new Map(Object.keys(golden.trees).map((name) => [name, treeOf(name)]));

/** Graft has no modules that drop. PEFT takes "dropout" for the containers that its own layers hold, and refuses it. */
const treesWithoutDropout = new Map(Object.keys(golden.trees).map((name) => [name, treeOf(name, "Dropout")]));

/** Graft refuses empty names, which pick nothing in PEFT. */
const withoutEmptyNames = (raw: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(raw).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.filter((name) => name !== "") : value,
    ]),
  );

/** Modules inside another saved one are saved with it, whether they are listed or not. */
const outermost = (paths: readonly string[]): string[] =>
  paths.filter((path) => !paths.some((other) => path.startsWith(`${other}.`)));

function pathsAt(treeName: string, runs: string): string[] {
  const places = runs.split(",").filter((run) => run !== "");
  const all = places.flatMap((run) => {
    const [from = 0, to = from] = run.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  return all.map((place) => golden.trees[treeName]?.modules[place]?.[0] as string);
}

function runsOf(places: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const place of [...places].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && last[1] === place - 1) last[1] = place;
    else runs.push([place, place]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join();
}

/** The codes with which Graft refuses what PEFT refuses. */
const codes: Readonly<Record<string, string>> = {
  "not-found": "target-modules-not-found",
  "none-targeted": "target-modules-not-found",
  "unsupported-module": "unsupported",
  "bad-regex": "invalid-config",
  TypeError: "invalid-config",
};

const kind = tuners().find(({ type }) => type === "LORA")?.targets as TargetKind;

/** What Graft makes of a case, in the golden's words; errors by code. */
function answer(treeName: string, raw: object, wanted: Result): Result {
  const isContainer = wanted.error === "TypeError";
  const { modules, placeOf } = (isContainer ? treesWithoutDropout : trees).get(treeName) as ReturnType<typeof treeOf>;
  const places = (picked: readonly Module[]) => runsOf(picked.map((module) => placeOf.get(module) as number));
  try {
    const read = LoraConfig.fromJson(withoutEmptyNames(raw), "case", () => {}) as LoraConfig;
    // PEFT passes over names that pick nothing; Graft leaves them out when it loads a file, and refuses them otherwise.
    const absent = isContainer ? [] : absentSavedModules(modules, read);
    const config = read.with({ r: 4 });
    const picked = selectTargets(modules, config, kind, "none");
    const present = config.modulesToSave?.filter((name) => !absent.includes(name)) ?? null;
    const saved = selectSavedModules(modules, { ...config.fields, modulesToSave: present, taskType: config.taskType });
    const names = picked.flatMap((one) => one.names);
    const idle = (["rankPattern", "alphaPattern"] as const).filter((option) =>
      Object.keys(config[option]).some((key) => patternValue({ [key]: 1 }, names) === undefined),
    );
    const spelled = { rankPattern: "rank_pattern", alphaPattern: "alpha_pattern" };
    const isIdle = (config.excludeModules ?? "").length > 0 && !excludesAny(modules, config);
    const warns = [...(isIdle ? ["exclude_modules"] : []), ...idle.map((option) => spelled[option])];
    const ranks = new Map<string, Module[]>();
    for (const { module, names: own } of picked) {
      const { r, scaling } = config.at(own);
      ranks.set(`${r} ${scaling}`, [...(ranks.get(`${r} ${scaling}`) ?? []), module]);
    }
    return {
      targets: places(picked.map(({ module }) => module)),
      ...(wanted.saved === undefined ? {} : { saved: saved.map(({ path }) => path).sort() }),
      ...(wanted.ranks === undefined
        ? {}
        : {
            ranks: [...ranks]
              .map(([key, own]) => [...key.split(" ").map(Number), places(own)] as [number, number, string])
              .sort((a, b) => a[0] - b[0] || a[1] - b[1]),
          }),
      ...(warns.length > 0 ? { warns } : {}),
    };
  } catch (error) {
    if (error instanceof GraftError) return { error: error.code };
    throw error;
  }
}

describe.each(Object.entries(golden.cases))("PEFT's rule for %s", (_rule, cases) => {
  test.each(Object.keys(golden.trees))("%s", (tree) => {
    const own = cases.filter(([name]) => name === tree);
    expect(own.length).toBeGreaterThan(20);
    for (const [, config, wanted] of own) {
      const saved =
        wanted.saved === undefined ? {} : { saved: outermost(pathsAt(tree, wanted.saved as string)).sort() };
      const expected =
        wanted.error === undefined ? { ...wanted, ...saved } : { error: codes[wanted.error] ?? wanted.error };
      expect({ config, ...answer(tree, config, wanted) }).toEqual({ config, ...expected });
    }
  });
});
