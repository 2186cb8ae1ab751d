import { AutoModelForImageClassification } from "../../models/index.js";
import { getPeftModel, LoraConfig } from "../../peft/index.js";

/** The walkthrough's ViT-B/16 with LoRA as versions of PEFT have counted it. */
export interface Counting {
  readonly versions: string;
  readonly trainable: number;
  readonly all: number;
  readonly note: string;
}

/** The line as the walkthrough's own function prints it. */
export const walkthroughLine = ({ trainable, all }: Pick<Counting, "trainable" | "all">): string =>
  `trainable params: ${trainable} || all params: ${all} || trainable%: ${((100 * trainable) / all).toFixed(2)}`;

/** ViT-B/16 with 101 classes (Food-101), LoRA r=16 on query and value, and the classifier saved whole. */
export function countWalkthrough(): readonly Counting[] {
  const model = AutoModelForImageClassification.fromConfig(
    { model_type: "vit", num_labels: 101 },
    { withWeights: false },
  );
  const base = model.numParameters();
  const head = [...model.namedParameters()]
    .filter(([name]) => name.startsWith("classifier."))
    .reduce((sum, [, { elementCount }]) => sum + elementCount, 0);
  const config = new LoraConfig({
    r: 16,
    loraAlpha: 16,
    targetModules: ["query", "value"],
    loraDropout: 0.1,
    modulesToSave: ["classifier"],
  });
  const peft = getPeftModel(model, config, { withWeights: false });
  const [trainable, all] = peft.getNbTrainableParameters();
  const [, allOnce] = peft.getNbTrainableParameters({ countSharedOnce: true });
  return [
    { versions: "the base model, fully fine-tuned", trainable: base, all: base, note: "101 classes, no pooler" },
    {
      versions: "PEFT 0.2 (the walkthrough)",
      trainable,
      all: allOnce,
      note: "the classifier is trained in place and counted once",
    },
    {
      versions: "PEFT 0.3 to 0.5",
      trainable: trainable + head,
      all,
      note: "a copy of the classifier is trained, and its original was left trainable too",
    },
    { versions: "PEFT since 0.6, and Graft", trainable, all, note: "the original is frozen; both are counted" },
  ];
}
