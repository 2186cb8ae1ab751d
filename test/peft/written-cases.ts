import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type PreTrainedModel, readParameter } from "#graft/models/index";
import {
  AdaLoraConfig,
  type AdapterConfig,
  getPeftModel,
  IA3Config,
  LNTuningConfig,
  LoHaConfig,
  LoKrConfig,
  LoraConfig,
  PeftModel,
  PrefixTuningConfig,
  PromptEncoderConfig,
  PromptTuningConfig,
  VeraConfig,
} from "#graft/peft/index";
import { hasAdapterFile, metaOf, namesIn } from "./method-goldens.js";
import { goldenPath } from "./numbers.js";

/** An adapter that Graft writes and PEFT has a method for. */
export interface WrittenCase {
  readonly name: string;
  /** Name of the golden model. */
  readonly base: string;
  /** PEFT's own folder of the same adapter, or of the same method on the same model; null where there is none. */
  readonly own: string | null;
  /** Whether PEFT finds other weights each time it loads the adapter, its own file included. */
  readonly isUnstable: boolean;
  /** Whether the engine computes what is saved: its rounding is the processor's, so that only names and shapes are compared. */
  readonly isComputed: boolean;
  make(base: PreTrainedModel): Promise<PeftModel>;
}

const writtenByPeft = (folder: string): boolean => {
  const path = goldenPath(join(folder, "adapter_config.json"));
  return JSON.parse(readFileSync(path, "utf8")).peft_version !== null && hasAdapterFile(folder);
};

const loaded: readonly WrittenCase[] = ["peft", "methods"]
  .flatMap((room) => namesIn(room).map((name) => `${room}/${name}`))
  .filter(writtenByPeft)
  .map((folder) => {
    const { base, reloadDifference = 0 } = metaOf(folder);
    const path = goldenPath(folder);
    return {
      name: folder,
      base,
      // Module names of transformers 4, which PEFT no longer finds; Graft writes those of transformers 5.
      own: folder.endsWith("_v4") ? null : path,
      isUnstable: reloadDifference > 0.1,
      isComputed: false,
      make: (model) => PeftModel.fromPretrained(model, path, { onWarning: () => {} }),
    };
  });

/** Every trained number away from what it begins with, the same each time. */
async function moved(model: PeftModel): Promise<PeftModel> {
  for (const [name, parameter] of model.namedParameters().filter(([, { trainable }]) => trainable)) {
    const { data, shape } = await readParameter(parameter);
    // The engine makes magnitudes, and rounds as the processor does: they are replaced whole.
    const kept = name.includes("magnitude") ? 0 : 1;
    const away = data.map((value, index) => kept * value + (1 - kept) + 0.1 * Math.sin(1 + index));
    parameter.setData({ dtype: "float32", shape, data: away });
  }
  return model;
}

const text = { taskType: "SEQ_CLS" } as const;
const image = { modulesToSave: ["classifier"] };
const queryValue = { bert: ["query", "value"], vit: ["q_proj", "v_proj"] };

/** Methods on both kinds of model: what the model's own options are. */
const onLayers: Readonly<Record<string, (own: object, targetModules: string[]) => AdapterConfig>> = {
  lora: (own, targetModules) => new LoraConfig({ ...own, targetModules, r: 4 }),
  dora: (own, targetModules) => new LoraConfig({ ...own, targetModules, r: 4, useDora: true }),
  pissa: (own, targetModules) => new LoraConfig({ ...own, targetModules, r: 4, initLoraWeights: "pissa" }),
  olora: (own, targetModules) => new LoraConfig({ ...own, targetModules, r: 4, initLoraWeights: "olora" }),
  adalora: (own, targetModules) => new AdaLoraConfig({ ...own, targetModules, initR: 4, totalStep: 9, tfinal: 1 }),
  ia3: (own, targetModules) => new IA3Config({ ...own, targetModules, feedforwardModules: [] }),
  loha: (own, targetModules) => new LoHaConfig({ ...own, targetModules, r: 4 }),
  lokr: (own, targetModules) => new LoKrConfig({ ...own, targetModules, r: 2 }),
  vera: (own, targetModules) => new VeraConfig({ ...own, targetModules, r: 8 }),
};

const norms = { bert: ["LayerNorm"], vit: ["layernorm_before", "layernorm_after"] };
const prompt = { ...text, numVirtualTokens: 3 };

/** Options of adapters that Graft makes from the start, by case. */
const configs: Readonly<Record<string, () => AdapterConfig>> = {
  ...Object.fromEntries(
    Object.entries(onLayers).flatMap(([name, make]) => [
      [`bert_${name}`, () => make(text, queryValue.bert)],
      [`vit_${name}`, () => make(image, queryValue.vit)],
    ]),
  ),
  bert_ln: () => new LNTuningConfig({ ...text, targetModules: norms.bert }),
  vit_ln: () => new LNTuningConfig({ ...image, targetModules: norms.vit }),
  bert_prompt: () => new PromptTuningConfig(prompt),
  bert_p_tuning: () => new PromptEncoderConfig(prompt),
  bert_prefix: () => new PrefixTuningConfig(prompt),
  bert_prefix_projected: () => new PrefixTuningConfig({ ...prompt, prefixProjection: true }),
};

const fresh: readonly WrittenCase[] = Object.entries(configs).map(([name, config]) => {
  const base = name.startsWith("vit") ? "vit_imgcls" : "bert_seqcls";
  return {
    name: `fresh/${name}`,
    base,
    own: namesIn("methods").includes(name) ? goldenPath(`methods/${name}`) : null,
    isUnstable: false,
    isComputed: name.endsWith("p_tuning") || name.endsWith("projected"),
    make: (model) =>
      moved(
        getPeftModel(model, config().with({ baseModelNameOrPath: `test/golden/models/${base}` }), {
          onWarning: () => {},
        }),
      ),
  };
});

/** All that is asked of PEFT. */
export const writtenCases: readonly WrittenCase[] = [...loaded, ...fresh];
