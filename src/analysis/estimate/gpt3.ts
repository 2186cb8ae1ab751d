import { getPeftModel, LoraConfig } from "../../peft/index.js";
import { attentionApart, paperModel } from "../paper/shapes.js";

/** A claim of the LoRA paper on GPT-3 175B, and the arithmetic that leads to it or near it. */
export interface Claim {
  readonly claim: string;
  readonly paper: string;
  readonly arithmetic: string;
  readonly computed: string;
}

const giga = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
const tera = (bytes: number): string => `${(bytes / 1e12).toFixed(2)} TB`;

/** Tokens a second of one GPU that the paper's footnote gives: fully fine-tuned, and with LoRA. */
const THROUGHPUT = { full: 32.5, lora: 43.1 };

/** What the paper says GPT-3 175B takes, computed from the model's shape. */
export function gpt3Claims(): Claim[] {
  const all = paperModel("GPT-3").numParameters();
  const model = attentionApart("GPT-3");
  const config = new LoraConfig({ r: 4, targetModules: ["query", "value"] });
  const [trained] = getPeftModel(model, config, { withWeights: false }).getNbTrainableParameters();
  const count = all.toLocaleString("en-US");
  const lora = trained.toLocaleString("en-US");
  return [
    {
      claim: "memory with LoRA",
      paper: "350 GB",
      arithmetic: `${count} weights x 2 bytes (float16), frozen; the adapter with AdamW in float32 adds ${lora} x 16 bytes = ${giga(16 * trained)}`,
      computed: giga(2 * all),
    },
    {
      claim: "memory of full fine-tuning",
      paper: "1.2 TB",
      arithmetic: `weights 2 + Adam's moments 2 + 2 bytes a weight in float16: ${tera(6 * all)}; with gradients of 2 bytes: ${tera(8 * all)}; with everything but weights in float32: ${tera(14 * all)}. The paper does not say which; 1.2 TB is ${(1.2e12 / all).toFixed(1)} bytes a weight`,
      computed: `${tera(6 * all)} to ${tera(8 * all)}`,
    },
    {
      claim: "checkpoint, r=4 on Wq and Wv",
      paper: "35 MB",
      arithmetic: `${lora} x 2 bytes (float16) = ${(2 * trained).toLocaleString("en-US")} bytes = ${(trained * 2) / 2 ** 20} MiB`,
      computed: `${((2 * trained) / 1e6).toFixed(1)} MB`,
    },
    {
      claim: "how much smaller the checkpoint is",
      paper: "10,000 times",
      arithmetic: `${count} / ${lora}`,
      computed: `${Math.round(all / trained).toLocaleString("en-US")} times`,
    },
    {
      claim: "speed of a step",
      paper: "25 %",
      arithmetic: `products of a step: forward 1, gradients of activations 1, gradients of weights 1; LoRA leaves out the last, which is at most 1/3 of the time. The paper's ${THROUGHPUT.lora} against ${THROUGHPUT.full} tokens a second save ${(100 * (1 - THROUGHPUT.full / THROUGHPUT.lora)).toFixed(1)} % of the time`,
      computed: "at most 33 %",
    },
  ];
}
