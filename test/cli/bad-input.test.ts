import { cp, mkdir, readdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fast, graft, imageModel, textModel, workFolder, writePictures, writeTable } from "./graft.js";
import { expectRefusal, type Refused } from "./refused.js";

let folder: string;

beforeAll(async () => {
  folder = await workFolder();
  const at = (...parts: string[]) => join(folder, ...parts);
  await textModel(at("bert"));
  await imageModel(at("vit"));
  await writeTable(at("train.tsv"), 16);
  await writePictures(at("pictures"), 3);
  await cp(at("bert"), at("cut"), { recursive: true });
  await truncate(at("cut/model.safetensors"), 4000);
  await cp(at("bert"), at("nojson"), { recursive: true });
  await writeFile(at("nojson/config.json"), '{"model_type": "bert",');
  await cp(at("bert"), at("pickled"), { recursive: true });
  await rm(at("pickled/model.safetensors"));
  await writeFile(at("pickled/pytorch_model.bin"), "");
  await cp(at("pictures"), at("damaged"), { recursive: true });
  await writeFile(at("damaged/red/1.png"), "not a picture");
  await mkdir(at("empty/red"), { recursive: true });
  for (const split of ["train", "test"]) await cp(at("pictures"), at("splits", split), { recursive: true });
  await writeFile(at("quotes.csv"), 'sentence,label\n"never closed,up\n');
  await writeFile(at("ragged.csv"), "sentence,label\ngood,up,extra\n");
  await writeFile(at("lines.jsonl"), '{"text": "good", "label": "up"}\n{"text": \n');
  await writeFile(at("unlabelled.csv"), "sentence,label\ngood,up\nbad,\n");
  await writeFile(at("none.tsv"), "sentence\tlabel\n");
  await writeFile(at("other.tsv"), "sentence\tlabel\nthe film\tsideways\n");
  await writeFile(at("long.tsv"), `sentence\tlabel\n${"film ".repeat(40)}\tup\nbad\tdown\n`);
  await writeFile(at("syntax.yaml"), "model: bert\n  output: out\n");
  await writeFile(at("unknown.yaml"), "model: bert\ntraining:\n  learning_rat: 1\n");
  await writeFile(at("misplaced.yaml"), "model: bert\nlearning_rate: 1\n");
  await writeFile(at("value.yaml"), "model: bert\nlora:\n  r: 8\n  bias: some\n");
  await writeFile(at("list.yaml"), "- model\n");
  await writeFile(
    at("saved.yaml"),
    "model: bert\noutput: out\ndata: {train: train.tsv}\nlora: {modules_to_save: [clasifier]}\n",
  );
  await writeFile(at("qalora.yaml"), "model: bert\noutput: out\ndata: {train: train.tsv}\nlora: {use_qalora: true}\n");
  const trained = await graft(folder, [
    "train",
    "--model",
    "bert",
    "--train",
    "train.tsv",
    "--output",
    "good",
    ...fast,
  ]);
  expect(trained.stderr).not.toContain("error");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const train = (...args: string[]) => ["train", "--model", "bert", "--output", "out", "--train", "train.tsv", ...args];

const cases: readonly Refused[] = [
  { name: "a folder that is not there", args: train("--model", "nowhere"), code: "file-not-found", says: ["nowhere"] },
  {
    name: "a folder that holds no model",
    args: train("--model", "pictures"),
    code: "file-not-found",
    says: ["config.json"],
  },
  { name: "a missing data file", args: train("--train", "gone.tsv"), code: "file-not-found", says: ["gone.tsv"] },
  {
    name: "truncated safetensors",
    args: train("--model", "cut"),
    code: "invalid-safetensors",
    says: ["cut/model.safetensors"],
  },
  { name: "a truncated file in inspect", args: ["inspect", "cut"], code: "invalid-safetensors", says: ["cut"] },
  { name: "pickles", args: train("--model", "pickled"), code: "invalid-pickle", says: ["pytorch_model.bin"] },
  { name: "malformed JSON", args: train("--model", "nojson"), code: "invalid-json", says: ["config.json", "line 1"] },
  {
    name: "malformed JSON lines",
    args: train("--train", "lines.jsonl"),
    code: "invalid-json",
    says: ["lines.jsonl:2"],
  },
  {
    name: "a quote that is never closed",
    args: train("--train", "quotes.csv"),
    code: "invalid-csv",
    says: ["quotes.csv"],
  },
  {
    name: "rows of different length",
    args: train("--train", "ragged.csv"),
    code: "invalid-csv",
    says: ["ragged.csv:2"],
  },
  { name: "malformed YAML", args: ["train", "syntax.yaml"], code: "invalid-yaml", says: ["syntax.yaml:1:"] },
  { name: "YAML that is a list", args: ["train", "list.yaml"], code: "invalid-config", says: ["list.yaml"] },
  {
    name: "an unknown key",
    args: ["train", "unknown.yaml"],
    code: "invalid-config",
    says: ['unknown.yaml:3: the section "training" has no key "learning_rat"', 'Did you mean "learning_rate"?'],
  },
  {
    name: "a key of another section",
    args: ["train", "misplaced.yaml"],
    code: "invalid-config",
    says: ['under "training:"'],
  },
  {
    name: "a value that a key does not take",
    args: ["train", "value.yaml"],
    code: "invalid-config",
    says: ["value.yaml:4: bias"],
  },
  {
    name: "a LoRA field that is not supported",
    args: ["train", "qalora.yaml"],
    code: "unsupported",
    says: ["use_qalora"],
  },
  {
    name: "options that contradict",
    args: train("--load-best-model-at-end"),
    code: "invalid-config",
    says: ["--load-best-model-at-end needs evaluations, but --eval-strategy is", "Set --eval-strategy to"],
  },
  {
    name: "a metric that no evaluation computes, before training",
    args: train("--eval", "train.tsv", "--eval-strategy", "epoch", "--metric-for-best-model", "acuracy"),
    code: "invalid-config",
    says: ['--metric-for-best-model is "acuracy"', 'Did you mean "accuracy"?'],
  },
  {
    name: "a label outside the map",
    args: train("--eval", "other.tsv"),
    code: "invalid-label",
    says: ["other.tsv:2", "sideways", "down, up"],
  },
  {
    name: "labels that the data contradicts",
    args: train("--labels", "a,b"),
    code: "invalid-label",
    says: ["train.tsv:2"],
  },
  {
    name: "data of one class, where no regression is asked for",
    args: train("--train-limit", "1"),
    code: "invalid-label",
    says: ['one class only, "up"', "--train-limit takes the first rows", "set --problem-type to regression"],
  },
  {
    name: "an empty label",
    args: train("--train", "unlabelled.csv"),
    code: "invalid-label",
    says: ["unlabelled.csv:3: the label is empty"],
  },
  { name: "an empty split", args: train("--eval", "none.tsv"), code: "empty-dataset", says: ["none.tsv"] },
  {
    name: "a folder of classes without pictures",
    args: ["train", "--model", "vit", "--output", "out", "--train", "empty"],
    code: "empty-dataset",
    says: ["empty"],
  },
  {
    name: "a picture that cannot be read",
    args: ["train", "--model", "vit", "--output", "out", "--train", "damaged", "--threads", "1"],
    code: "invalid-image",
    says: ["damaged/red/1.png"],
  },
  {
    name: "an unreadable picture in predict",
    args: ["predict", "vit", "damaged/red"],
    code: "invalid-image",
    says: ["1.png"],
  },
  {
    name: "targets that match nothing",
    args: train("--target-modules", "querry"),
    code: "target-modules-not-found",
    says: ["querry", "Nearest names: query"],
  },
  {
    name: "a column that is not there",
    args: train("--text-column", "txt"),
    code: "invalid-argument",
    says: ["sentence, label"],
  },
  {
    name: "pictures for a text model",
    args: train("--task", "image-classification"),
    code: "invalid-argument",
    says: ["reads texts"],
  },
  {
    name: "an adapter of another base",
    args: ["predict", "good", "pictures/red", "--model", "vit"],
    code: "adapter-mismatch",
    says: ["lora_A", "another base"],
  },
  {
    name: "a base that is not there",
    args: ["eval", "good", "train.tsv", "--model", "nowhere"],
    code: "file-not-found",
    says: ["nowhere"],
  },
  {
    name: "text files that are missing",
    args: ["predict", "good", "gone.csv"],
    code: "file-not-found",
    says: ["gone.csv"],
  },
  {
    name: "merging what is no adapter",
    args: ["merge", "bert", "out"],
    code: "invalid-argument",
    says: ["not an adapter"],
  },
  {
    name: "merging over the base",
    args: ["merge", "good", "bert", "--overwrite"],
    code: "invalid-argument",
    says: ["reads from"],
  },
  {
    name: "merging over a folder with other files",
    args: ["merge", "good", "pictures", "--overwrite"],
    code: "invalid-argument",
    says: ["pictures holds what the command did not write: blue, red"],
  },
  {
    name: "exporting over the current directory",
    args: ["export", "good", ".", "--overwrite"],
    code: "invalid-argument",
    says: [". is or contains what the command reads from"],
  },
  {
    name: "a folder where a table should be",
    args: train("--train", "pictures"),
    code: "file-access",
    says: ["pictures is a folder"],
  },
  {
    name: "saved modules that the model lacks, in the words of a flag",
    args: train("--modules-to-save", "clasifier"),
    code: "invalid-config",
    says: ["--modules-to-save names clasifier", "Nearest names: classifier"],
  },
  {
    name: "saved modules that the model lacks, in the words of a run file",
    args: ["train", "saved.yaml"],
    code: "invalid-config",
    says: ["modules_to_save names clasifier"],
  },
  {
    name: "an output folder in use",
    args: train("--output", "good"),
    code: "invalid-argument",
    says: ["--overwrite", "--resume"],
  },
  {
    name: "a folder for a model that reads texts",
    args: ["predict", "good", "pictures/"],
    code: "file-access",
    says: ["pictures/ is a folder, but the model reads texts"],
  },
  {
    name: "splits where classes should be",
    args: ["train", "--model", "vit", "--output", "out", "--train", "splits"],
    code: "empty-dataset",
    says: ["splits holds splits of the data (test, train), not classes", "splits/test"],
  },
  {
    name: "a metric of classes for regression",
    args: train("--problem-type", "regression", "--metrics", "accuracy"),
    code: "invalid-config",
    says: ["the metric accuracy compares classes", "pearson"],
  },
  {
    name: "a metric of values for classes",
    args: ["eval", "good", "train.tsv", "--metrics", "pearson"],
    code: "invalid-config",
    says: ["the metric pearson compares values", "accuracy, f1"],
  },
  { name: "resuming from nothing", args: train("--resume"), code: "file-not-found", says: ["checkpoint"] },
  { name: "inspecting something else", args: ["inspect", "train.tsv"], code: "unsupported", says: ["train.tsv"] },
];

describe("bad input", () => {
  for (const { name, ...refused } of cases) {
    it(`${name}: status 1, code, hint, nothing half-written`, () => expectRefusal(folder, refused));
  }

  it("a folder around a source is not replaced, whatever its name; a merged model is", async () => {
    const adapter = join(folder, "runs", "a");
    await cp(join(folder, "good"), adapter, { recursive: true });
    await symlink("runs", join(folder, "link"));
    for (const output of ["runs", "link", "runs/a/.."]) {
      const { status, stderr } = await graft(folder, ["merge", "runs/a", output, "--overwrite"]);
      expect(stderr).toContain("is or contains what the command reads from");
      expect(status).toBe(1);
    }
    expect(await readdir(adapter)).toEqual(await readdir(join(folder, "good")));
    for (const verb of ["merge", "export", "merge"]) {
      const { status, stderr } = await graft(folder, [verb, "runs/a", "runs/merged", "--overwrite"]);
      expect(stderr).not.toContain("error");
      expect(status).toBe(0);
    }
  });

  it("a text longer than the model is cut, not refused", async () => {
    const { status, stdout } = await graft(folder, ["eval", "good", "long.tsv", "--json", "--threads", "1"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).rows).toBe(2);
  });
});

describe("wrong usage", () => {
  const usage: readonly { readonly args: readonly string[]; readonly says: string }[] = [
    { args: ["trian"], says: "unknown command 'trian' (Did you mean train?)" },
    { args: ["train", "--modle", "bert"], says: "unknown option '--modle' (Did you mean --model?)" },
    { args: ["train", "--model", "bert"], says: "--train, --output missing" },
    { args: ["predict", "good"], says: "missing required argument 'inputs'" },
    { args: train("--r", "many"), says: "--r many" },
    { args: ["train", "--resume", "saved.yaml"], says: "--resume saved.yaml names a run file" },
    { args: train("--lora", "r=3", "--ia3", "targets=key"), says: "--lora and --ia3 are two methods" },
    { args: train("--r", "3", "--method", "ia3"), says: "--r is of the method lora, but the run's method is ia3" },
    { args: ["predict", "good", "-stars"], says: "unknown option '-stars'" },
    { args: train("--lora", "rank=3"), says: '--lora has no key "rank"' },
    { args: ["predict", "good", "x", "--top-k", "0"], says: "--top-k 0" },
  ];
  for (const { args, says } of usage) {
    it(`graft ${args.join(" ")}: status 2`, async () => {
      const { status, stderr } = await graft(folder, args);
      expect(stderr).toContain(`error [usage]: ${says}`);
      expect(stderr).toContain("\nhint: ");
      expect(status).toBe(2);
    });
  }

  it("a text that begins with a dash is told where it may stand", async () => {
    const { stderr } = await graft(folder, ["predict", "good", "-stars"]);
    expect(stderr).toContain(
      'hint: A text that begins with "-" stands behind "--": graft predict <folder> -- "-text".',
    );
  });

  it("--json makes errors JSON", async () => {
    for (const args of [
      ["inspect", "nowhere", "--json"],
      ["train", "--nothing", "--json"],
    ]) {
      const { stdout, stderr } = await graft(folder, args);
      const { error } = JSON.parse(stdout);
      expect(Object.keys(error)).toEqual(["code", "message", "hint"]);
      expect(stderr).toBe("");
    }
  });
});
