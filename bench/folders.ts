import { access, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { root, runReference, SkippedSide } from "./child.js";
import { type StepJobName, stepJobs } from "./jobs.js";

/** Where models and data are looked for: GRAFT_ASSETS, or the folder beside the repository. */
export function assetsFolder(): string {
  return resolve(process.env.GRAFT_ASSETS || join(root, "..", "shared", "assets"));
}

export function cacheFolder(given: string | undefined): string {
  return resolve(given || process.env.GRAFT_BENCH_CACHE || join(tmpdir(), "graft-bench"));
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** What both sides read. */
export interface JobFolders {
  /** The folder that make_bench_model.py wrote: adapter/ and batch.safetensors. */
  readonly folder: string;
  /** The model for Graft: the weights of the Python side with every dropout at 0, as the Python side sets it. */
  readonly model: string;
}

/** Finds or makes a job's folder. @throws Error when it is missing and there is no Python to make it */
export async function jobFolders(job: StepJobName, cache: string): Promise<JobFolders> {
  const folder = join(cache, job);
  if (!(await exists(join(folder, "batch.safetensors")))) {
    console.error(`making ${folder}`);
    await mkdir(cache, { recursive: true });
    const made = await runReference("make_bench_model.py", ["--job", job, "--out", folder]).catch((error: unknown) => {
      if (!(error instanceof SkippedSide)) throw error;
      throw new Error(`${folder} has no benchmark's model, and cannot be made: ${error.message}`);
    });
    if (made.status !== 0) throw new Error(`make_bench_model.py failed: ${made.stderr.trim()}`);
  }
  const { asset } = stepJobs[job];
  const weights = asset === undefined ? join(folder, "model") : join(assetsFolder(), asset);
  return { folder, model: await withoutDropout(weights, join(folder, "model-no-dropout")) };
}

const noDropout = {
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  classifier_dropout: null,
  resid_pdrop: 0,
  embd_pdrop: 0,
  attn_pdrop: 0,
  attention_dropout: 0,
};

/** A model folder beside another: its weights by a link, every dropout at 0. */
export async function withoutDropout(source: string, target: string): Promise<string> {
  const config = JSON.parse(await readFile(join(source, "config.json"), "utf8")) as Record<string, unknown>;
  const changed = { ...config, ...noDropout };
  await mkdir(target, { recursive: true });
  await writeFile(join(target, "config.json"), JSON.stringify(changed));
  const link = join(target, "model.safetensors");
  await rm(link, { force: true });
  await symlink(join(source, "model.safetensors"), link);
  return target;
}
