/**
 * A thousand downloads, each with faults at random: cut connections, wrong and missing bytes, resets, refusals, a branch that
 * moves. Each ends with the right files or with an error that says what to do, and after each the cache is whole.
 *
 *   npm run build:js && npx tsx test/hub/random-faults.ts [count] [seed]
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GraftError } from "graft-peft";
import { resolveFiles } from "#graft/hub/index";
import { CounterRng } from "#graft/random";
import { cacheFaults } from "./server/cache-check.js";
import type { Fault } from "./server/faults.js";
import { HubServer } from "./server/hub-server.js";
import { safetensors } from "./server/safetensors.js";

const names = ["config.json", "model.safetensors"] as const;

function draw(rng: CounterRng): Fault | undefined {
  const kind = Math.floor(rng.uniform(0, 14));
  const at = Math.floor(rng.uniform(0, 9000));
  const faults: readonly Fault[] = [
    { kind: "reset" },
    { kind: "cut", after: at },
    { kind: "short", missing: 1 + (at % 500) },
    { kind: "corrupt", at },
    { kind: "status", status: 500 + (at % 5) },
    { kind: "status", status: 429, headers: { "Retry-After": "0" } },
    { kind: "ignore-range" },
    { kind: "status", status: [401, 403, 404][at % 3] as number },
  ];
  return faults[kind];
}

/** @returns how many downloads ended well, and how many in an error */
export async function randomFaults(count: number, seed: number): Promise<{ whole: number; refused: number }> {
  const root = await mkdtemp(join(tmpdir(), "graft-faults-"));
  const server = await HubServer.start();
  process.env.HF_ENDPOINT = server.url;
  process.env.HF_HUB_OFFLINE = "0";
  const ended = { whole: 0, refused: 0 };
  // Waiting between tries is no part of what is tried; other timers are the connections' own.
  const { setTimeout: slow } = globalThis;
  const isPause = (time: number | undefined) => [300, 600, 1200, 2400, 4800].includes(time ?? 0);
  globalThis.setTimeout = ((work: () => void, time?: number) =>
    slow(work, isPause(time) ? 0 : time)) as typeof setTimeout;
  try {
    for (let round = 0; round < count; round++) {
      const rng = new CounterRng([seed, round]);
      const weights = safetensors({ weight: [40, 50 + (round % 7)] });
      const repository = server.add("model", "org/model", {
        "config.json": `{"round": ${round}}`,
        "model.safetensors": weights,
      });
      const rate = rng.uniform(0, 1);
      server.fault = ({ path }) => {
        if (rng.uniform(0, 1) < 0.05) repository.commit({ "other.json": String(rng.uniform(0, 1)) });
        return rng.uniform(0, 1) < rate && !path.startsWith("/api/models?") ? draw(rng) : undefined;
      };
      // Some rounds go on in the cache of the last one.
      const cacheDir = join(root, String(round - (round % 3)));
      try {
        const files = await resolveFiles("org/model", undefined, { cacheDir });
        await files.fetch(names);
        const found = await readFile(await files.path("model.safetensors", "the round"));
        if (!found.equals(weights) && round % 3 === 0) throw new Error(`round ${round}: other bytes than were pushed`);
        ended.whole++;
      } catch (error) {
        if (!(error instanceof GraftError) || error.hint === "") throw error;
        ended.refused++;
      }
      const faults = await cacheFaults(cacheDir);
      if (faults.length > 0) throw new Error(`round ${round}: ${faults.join("; ")}`);
      if (round % 3 === 2) await rm(cacheDir, { recursive: true, force: true });
    }
    return ended;
  } finally {
    globalThis.setTimeout = slow;
    await server.stop();
    await rm(root, { recursive: true, force: true });
  }
}

if (process.argv[1]?.endsWith("random-faults.ts")) {
  const [count = "1000", seed = "1"] = process.argv.slice(2);
  const { whole, refused } = await randomFaults(Number(count), Number(seed));
  console.log(
    `${count} downloads with random faults: ${whole} whole, ${refused} ended in an error; every cache was whole`,
  );
}
