import type { Label2Id, LabelsAre } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import type { LabelMaps } from "../../models/labels.js";
import { labelMaps } from "../../models/labels.js";
import type { ProblemType } from "../../problem-type.js";
import { type DataOptions, type TaskData, type TaskName, tasks } from "../../tasks/index.js";
import { dataOptions } from "../data/options.js";
import type { CompleteRun } from "../definition/run.js";
import {
  labelsOfHead,
  namedLabels,
  problemTypeOfConfig,
  type TrainingLabels,
  trainingLabels,
} from "../models/labels.js";

/** The data of a run, and what its labels are. */
export interface RunData {
  readonly problemType: ProblemType;
  /** undefined for regression and for language models. */
  readonly labels: LabelMaps | undefined;
  /** How labels are read that are class names and class numbers at once; undefined where none are. */
  readonly labelsAre: LabelsAre | undefined;
  /** Outputs of the model; 0 where it has no labels. */
  readonly outputs: number;
  readonly isNewHead: boolean;
  readonly train: TaskData;
  readonly evaluation: TaskData | undefined;
  readonly test: TaskData | undefined;
}

/**
 * What a run's labels are by its own word or its model's; undefined where the data must show it.
 * @throws GraftError `unsupported` for labels that the task's data cannot hold
 */
export async function givenProblemType(
  run: CompleteRun,
  task: TaskName,
  onInfo: (line: string) => void,
): Promise<ProblemType | undefined> {
  const { problemTypes, reads } = tasks[task];
  // Classifiers of tokens have one class a token, whatever their config says; so it is in transformers.
  const ofConfig = task === "token-classification" ? undefined : await problemTypeOfConfig(run.model);
  const given = run.problemType ?? ofConfig;
  if (given !== undefined && !problemTypes.includes(given)) {
    const source = run.problemType ? "" : `, which ${run.model}/config.json says,`;
    throw new GraftError(
      "unsupported",
      `${given}${source} on ${task === "token-classification" ? "words" : reads}`,
      `The data of ${task} holds classes: ${run.problemType ? "leave problemType out" : 'set problemType to "single_label_classification"'}.`,
      { option: "problemType" },
    );
  }
  if (run.problemType === undefined && given !== undefined && given !== problemTypes[0]) {
    onInfo(`problem type ${given}, as the model's config.json says`);
  }
  return given ?? (problemTypes.length === 1 ? problemTypes[0] : undefined);
}

async function labelsOf(run: CompleteRun, task: TaskName, train: TaskData): Promise<TrainingLabels> {
  const { head } = tasks[task];
  if (run.labels) return namedLabels(run.model, head, labelMaps({ id2label: run.labels }, "labels") as LabelMaps);
  if (run.numLabels) {
    return { labels: labelMaps({ numLabels: run.numLabels }, "numLabels") as LabelMaps, isNewHead: false };
  }
  return trainingLabels(run.model, head, train.label2id);
}

/** A model of one class has nothing to learn; with one output transformers means regression, which must be said. */
function requireClasses({ numLabels, id2label }: LabelMaps, data: string): void {
  if (numLabels > 1) return;
  throw new GraftError(
    "invalid-label",
    `there is one class only, ${JSON.stringify(id2label[0])}, for the training data ${data}`,
    "Give rows of at least two classes (trainLimit takes the first rows, which are of one class in sorted data), name all classes with `labels`, or set problemType to regression.",
    { option: "labels" },
  );
}

function sameIds(a: Label2Id, b: Label2Id): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** What was decided about each file, told when all is decided: files may be read again in another way. */
class Decisions {
  private readonly lines = new Map<string, Set<string>>();

  /** Begins a file, or begins it anew. */
  of(path: string): (line: string) => void {
    const lines = new Set<string>();
    this.lines.set(path, lines);
    return (line) => lines.add(line);
  }

  /** Each line once, however many files it is about. */
  tell(onInfo: (line: string) => void): void {
    for (const line of new Set([...this.lines.values()].flatMap((lines) => [...lines]))) onInfo(line);
  }
}

/** Values have no classes. @throws GraftError `invalid-argument` */
function requireNoNames(run: CompleteRun): void {
  const option = run.labels ? "labels" : "numLabels";
  if (run[option] === undefined) return;
  throw new GraftError(
    "invalid-argument",
    `${option} is given, but the run is a regression`,
    'Leave it out, or set problemType to "single_label_classification".',
    { option },
  );
}

/** Outputs of a regression: one, or as many as rows have values. */
function valuesOf({ examples }: TaskData): number {
  const label = (examples[0] as { readonly label?: unknown } | undefined)?.label;
  return Array.isArray(label) ? label.length : 1;
}

/** The data of a run that has no labels. @throws GraftError `invalid-argument` for options about labels */
async function textsOf(run: CompleteRun, task: TaskName, decisions: Decisions): Promise<RunData> {
  const option = (["labels", "numLabels", "problemType"] as const).find((name) => run[name] !== undefined);
  if (option !== undefined) {
    throw new GraftError("invalid-argument", `${option} is given, but ${task} has no labels`, "Leave it out.", {
      option,
    });
  }
  const { data: keys } = run;
  const read = (path: string, limit: number | undefined) =>
    tasks[task].read(path, dataOptions(keys, { limit, onInfo: decisions.of(path) }));
  return {
    problemType: "single_label_classification",
    labels: undefined,
    labelsAre: undefined,
    outputs: 0,
    isNewHead: false,
    train: await read(keys.train, keys.trainLimit),
    evaluation: keys.eval === undefined ? undefined : await read(keys.eval, keys.evalLimit),
    test: keys.test === undefined ? undefined : await read(keys.test, keys.testLimit),
  };
}

interface RunFiles {
  readonly train: TaskData;
  readonly evaluation: TaskData | undefined;
  readonly test: TaskData | undefined;
}

/** Files of a run by one reading of labels that are names and numbers at once: where files differ, as class numbers. */
async function inOneReading(
  files: RunFiles,
  again: (labelsAre: LabelsAre) => Promise<RunFiles>,
): Promise<RunFiles & Pick<RunData, "labelsAre">> {
  const found = new Set(Object.values(files).flatMap((file: TaskData | undefined) => file?.labelsAre ?? []));
  const [labelsAre, other] = found;
  return other === undefined ? { ...files, labelsAre } : { ...(await again("numbers")), labelsAre: "numbers" };
}

async function settled(
  run: CompleteRun,
  task: TaskName,
  decisions: Decisions,
  onInfo: (line: string) => void,
): Promise<RunData> {
  const { data: keys } = run;
  const said = await givenProblemType(run, task, onInfo);
  const given = run.labels && { label2id: Object.fromEntries(run.labels.map((name, id) => [name, id])) };
  const readBy = (problemType: ProblemType | undefined) => {
    return (path: string, limit: number | undefined, ids?: Pick<DataOptions, "label2id" | "labelsAre">) =>
      tasks[task].read(path, dataOptions(keys, { problemType, limit, onInfo: decisions.of(path), ...ids }));
  };
  const train = async (): Promise<TaskData> => {
    const read = readBy(said);
    if (said !== "multi_label_classification" || given) return read(keys.train, keys.trainLimit, given);
    // The head's names say which columns hold labels, and what the places of a list mean.
    const own = await labelsOfHead(run.model, tasks[task].head);
    const byHead = own && (await read(keys.train, keys.trainLimit, own).catch(() => undefined));
    return byHead ?? read(keys.train, keys.trainLimit);
  };
  const first = await train();
  const problemType = said ?? first.problemType ?? "single_label_classification";
  const read = readBy(problemType);
  const rest = async (ids?: Pick<DataOptions, "label2id" | "labelsAre">) => ({
    evaluation: keys.eval === undefined ? undefined : await read(keys.eval, keys.evalLimit, ids),
    test: keys.test === undefined ? undefined : await read(keys.test, keys.testLimit, ids),
  });
  if (problemType === "regression") {
    requireNoNames(run);
    const files = { train: first, ...(await rest()) };
    return {
      problemType,
      labels: undefined,
      labelsAre: undefined,
      outputs: valuesOf(first),
      isNewHead: false,
      ...files,
    };
  }
  const { labels, isNewHead, note } = await labelsOf(run, task, first);
  if (note !== undefined) onInfo(note);
  if (problemType === "single_label_classification") requireClasses(labels, keys.train);
  // The ids are the model's, which may name the same classes in another order.
  const reread = run.labels ? given : { label2id: labels.label2id };
  const isSame = sameIds(labels.label2id, first.label2id);
  const trained = isSame ? first : await read(keys.train, keys.trainLimit, reread);
  const files = await inOneReading({ train: trained, ...(await rest(reread)) }, async (labelsAre) => ({
    train: await read(keys.train, keys.trainLimit, { ...reread, labelsAre }),
    ...(await rest({ ...reread, labelsAre })),
  }));
  return { problemType, labels, outputs: labels.numLabels, isNewHead, ...files };
}

/**
 * Reads the data of a run and settles what its labels are: by the run, else by the model's config, else by what the
 * training data shows. Labels that are class names and class numbers at once are read in one way in all files.
 * @throws GraftError whatever is wrong with the data
 */
export async function dataOf(run: CompleteRun, task: TaskName, onInfo: (line: string) => void): Promise<RunData> {
  const decisions = new Decisions();
  try {
    if (tasks[task].learns === "tokens") return await textsOf(run, task, decisions);
    return await settled(run, task, decisions, onInfo);
  } finally {
    decisions.tell(onInfo);
  }
}
