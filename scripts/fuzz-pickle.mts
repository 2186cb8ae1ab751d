/**
 * Reads mutated pickles: `npx tsx scripts/fuzz-pickle.mts [count] [first seed]` (100000 from seed 0 by default). Prints how
 * often each outcome came and the process's largest memory; ends with an error at the first mutant that is not refused in
 * order.
 */
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fuzz } from "../test/pickle/fuzz.js";

const [count = "100000", first = "0"] = process.argv.slice(2);
const golden = fileURLToPath(new URL("../test/golden/pickle/", import.meta.url));
const paths = readdirSync(golden).filter((name) => name.endsWith(".pt") && !name.startsWith("refused_"));
const folder = await mkdtemp(join(tmpdir(), "graft-fuzz-"));
try {
  const outcomes = await fuzz(
    paths.map((name) => join(golden, name)),
    folder,
    Number(count),
    Number(first),
  );
  console.log(JSON.stringify(outcomes, null, 2));
  console.log(`largest memory: ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
