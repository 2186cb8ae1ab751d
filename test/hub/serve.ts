/**
 * Runs a command with the tests' own Hub as HF_ENDPOINT: `npx tsx test/hub/serve.ts -- <command...>`. It has one model,
 * org/model, with a card as a run writes it.
 */
import { spawn } from "node:child_process";
import { runCard } from "#graft/training/hub/model-card";
import { HubServer } from "./server/hub-server.js";
import { safetensors } from "./server/safetensors.js";

const [program = "", ...rest] = process.argv.slice(process.argv.indexOf("--") + 1);
const server = await HubServer.start();
const card = await runCard({
  name: "model",
  repoId: "org/model",
  baseModel: "org/base",
  method: "LORA",
  autoClass: "AutoModelForSequenceClassification",
  pipelineTag: "text-classification",
  trainable: 10,
  total: 100,
  log: [
    { loss: 0.5, epoch: 1, step: 10 },
    { eval_loss: 0.4, eval_accuracy: 0.875, epoch: 1, step: 10 },
  ],
  settings: { learningRate: 0.001 },
  options: { datasets: ["org/data"], license: "mit" },
});
server.add("model", "org/model", {
  "README.md": card,
  "config.json": '{"model_type": "bert"}',
  "model.safetensors": safetensors({ weight: [300, 400] }),
});
const child = spawn(program, rest, {
  stdio: "inherit",
  env: { ...process.env, HF_ENDPOINT: server.url, HF_HUB_OFFLINE: "0" },
});
child.on("exit", (status) => {
  process.exitCode = status ?? 1;
  void server.stop();
});
