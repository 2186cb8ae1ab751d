import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { fullRepoId, outputPath, type PushedCommit, type PushOptions, pushFolder } from "../../hub/index.js";
import type { TrainingArguments } from "../arguments/index.js";
import { trainingArgumentFields } from "../arguments/index.js";
import type { TrainerState } from "../checkpoints/state.js";
import type { TrainableModel } from "../model.js";
import { type ModelCardOptions, runCard } from "./model-card.js";

/** Options of `Trainer.pushToHub`. */
export interface PushRunOptions extends PushOptions, ModelCardOptions {
  /** "org/name". Default: `hubModelId`, else the last name of outputDir under the token's account. */
  readonly repoId?: string | undefined;
  /** A folder that the model was saved in. Default: it is saved in outputDir first. */
  readonly folder?: string | undefined;
}

export interface PushedRun {
  readonly model: TrainableModel;
  readonly args: TrainingArguments;
  readonly state: Pick<TrainerState, "logHistory">;
}

/** Ways of a machine, which tell nobody anything. */
const own: ReadonlySet<string> = new Set([
  "outputDir",
  "reportTo",
  "pushToHub",
  "hubModelId",
  "hubStrategy",
  "hubPrivateRepo",
]);

function changedSettings(args: TrainingArguments): Record<string, unknown> {
  const fields = Object.entries(trainingArgumentFields);
  return Object.fromEntries(
    fields.flatMap(([name, { default: usual }]) => {
      const value = (args as unknown as Record<string, unknown>)[name];
      return own.has(name) || JSON.stringify(value) === JSON.stringify(usual) ? [] : [[name, value]];
    }),
  );
}

const tasks: readonly (readonly [suffix: string, task: string, autoClass: string])[] = [
  ["ForImageClassification", "image-classification", "AutoModelForImageClassification"],
  ["ForSequenceClassification", "text-classification", "AutoModelForSequenceClassification"],
  ["ForTokenClassification", "token-classification", "AutoModelForTokenClassification"],
];

interface Adapted {
  readonly peftConfig?: Readonly<Record<string, { toJson(): Readonly<Record<string, unknown>> }>>;
  getBaseModel?(): { readonly nameOrPath: string | null };
  readonly nameOrPath?: string | null;
}

/** The card of a run. */
export function cardOf({ model, args, state }: PushedRun, repoId: string, options: ModelCardOptions): Promise<string> {
  const { peftConfig, getBaseModel, nameOrPath } = model as unknown as Adapted;
  const config = Object.values(peftConfig ?? {})[0]?.toJson();
  const [, pipelineTag, autoClass = "AutoModel"] =
    tasks.find(([suffix]) => model.network.className.endsWith(suffix)) ?? [];
  const parameters = model.namedParameters().map(([, parameter]) => parameter);
  const count = (all: typeof parameters) => all.reduce((sum, { elementCount }) => sum + elementCount, 0);
  return runCard({
    name: repoId.split("/").at(-1) as string,
    repoId,
    baseModel: getBaseModel ? (getBaseModel.call(model).nameOrPath ?? null) : (nameOrPath ?? null),
    method: config === undefined ? null : String(config.peft_type),
    autoClass,
    pipelineTag,
    trainable: count(parameters.filter(({ trainable }) => trainable)),
    total: count(parameters),
    log: state.logHistory,
    settings: changedSettings(args),
    options,
  });
}

/** The repository of a run: `hubModelId`, else the name of its folder. */
export function runRepoId({ hubModelId, outputDir }: TrainingArguments, options: PushRunOptions): Promise<string> {
  return fullRepoId(options.repoId ?? hubModelId ?? platform.basename(platform.resolve(outputDir)), options);
}

/**
 * Pushes a saved run with a card that is made from it. Checkpoints and logs stay here.
 * @throws GraftError as `pushFolder`; the hint says how to repeat it
 */
export async function pushRun(run: PushedRun, folder: string, options: PushRunOptions): Promise<PushedCommit> {
  const { args } = run;
  const isPrivate = options.private ?? args.hubPrivateRepo ?? undefined;
  try {
    const repoId = await runRepoId(args, options);
    await platform.writeFileAtomic(outputPath(folder, "README.md"), await cardOf(run, repoId, options));
    return await pushFolder(folder, repoId, { ...options, private: isPrivate });
  } catch (error) {
    if (!(error instanceof GraftError)) throw error;
    const again = `Nothing is lost: the model is in ${folder}; graft push ${folder} <org/name> pushes it.`;
    throw new GraftError(error.code, error.message, `${error.hint} ${again}`, { cause: error });
  }
}
