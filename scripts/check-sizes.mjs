// A file of src above 300 lines is two ideas, or says in its head why it is one: a comment "Above 300 lines: ...".
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const MOST_LINES = 300;
/** Lines in which the reason may stand. */
const HEAD = 40;

const files = readdirSync("src", { recursive: true })
  .map(String)
  .filter((name) => name.endsWith(".ts"));
const long = files.flatMap((name) => {
  const lines = readFileSync(join("src", name), "utf8").split("\n");
  const count = lines.at(-1) === "" ? lines.length - 1 : lines.length;
  const hasReason = lines.slice(0, HEAD).some((line) => /Above 300 lines: \S/.test(line));
  return count > MOST_LINES && !hasReason ? [`src/${name}: ${count} lines`] : [];
});
if (long.length > 0) {
  console.error(`Above ${MOST_LINES} lines, and no reason in the head ("Above 300 lines: ..."):\n${long.join("\n")}`);
  process.exit(1);
}
console.log(`sizes: ${files.length} files, none above ${MOST_LINES} lines without a reason`);
