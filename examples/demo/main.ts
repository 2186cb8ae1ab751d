/** `npm run demo`: a small ViT that has only ever seen clothes learns handwritten digits with LoRA. */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { TrainerCallback } from "graft-peft";
import { PlainProgress, runProgress } from "#graft/cli/shell/progress";
import { adaptToDigits, readDigit } from "./adapt.js";
import { digitNames, readDigits } from "./pictures.js";

const outputFolder = fileURLToPath(new URL("../../demo-output", import.meta.url));
const picture = process.argv[2] ?? fileURLToPath(new URL("./digit.png", import.meta.url));
const short = (path: string): string => relative(process.cwd(), path) || ".";
const start = Date.now();

console.log("A small ViT that Graft pretrained on pictures of clothes (Fashion-MNIST) learns handwritten digits.\n");
const bar = runProgress();
/** The bar is there while the model trains, and nowhere else: the story's own lines would be drawn over. */
const progress: TrainerCallback = {
  onProgress: (event) => (event.progress.phase === "train" ? bar.onProgress(event) : undefined),
  onLog: (event) => (bar instanceof PlainProgress ? bar.onLog(event) : undefined),
  onTrainEnd: () => bar.stop(),
};
const result = await adaptToDigits({
  digits: await readDigits(),
  outputFolder,
  progress,
  log: (line) => console.log(line),
}).finally(() => bar.stop());

const { adapterFolder, mergedFolder, largestDifference, relativeDifference } = result;
console.log(`
Adapter (PEFT's format): ${short(adapterFolder)}
Merged model:            ${short(mergedFolder)}
Merged against unmerged, logits of the held-out digits: largest difference ${largestDifference.toExponential(1)}, relative ${relativeDifference.toExponential(1)}`);

const [first, second] = await readDigit(mergedFolder, picture);
const chance = (p: number): string => `${(100 * p).toFixed(1)} %`;
console.log(`
${short(picture)} is a ${first!.label} (${chance(first!.probability)}; next: ${second!.label}, ${chance(second!.probability)})
Draw one of your own, white on black and filling the picture, and ask again:
  npx graft predict ${short(mergedFolder)} my-digit.png

The same with pictures of your own, a folder for each class (${digitNames.slice(0, 2).join("/, ")}/, ... or any names):
  npx graft train --model <model folder> --train <pictures>/train --eval <pictures>/test --output my-adapter \\
    --lora r=16,alpha=32,targets=query,value --learning-rate 3e-3
  <model folder> is one from the Hugging Face hub (ViT; for texts: BERT or RoBERTa), or examples/demo/model.

${Math.round((Date.now() - start) / 1000)} seconds in all.`);
