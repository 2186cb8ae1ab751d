import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { platform } from "#graft/platform/node";
import { lastCheckpoint } from "#graft/training/checkpoints/checkpoint";

const writer = fileURLToPath(new URL("./killed-writer.mjs", import.meta.url));
const endedPid = () => spawnSync(process.execPath, ["-e", ""]).pid;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-killed-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function folderOf(path: string, contents: string): Promise<void> {
  await mkdir(path);
  for (const name of ["one", "two"]) await writeFile(join(path, name), contents);
}

/** What a folder holds, as "one=old two=old". */
async function heldBy(path: string): Promise<string> {
  const names = await readdir(path);
  const texts = names.map(async (name) => `${name}=${await readFile(join(path, name), "utf8")}`);
  return (await Promise.all(texts)).join(" ");
}

describe("a kill while a folder is replaced", () => {
  const whole = ["one=old two=old", "one=new two=new"];

  it("leaves the old or the new one, whole, whatever it interrupts", { timeout: 60_000 }, async () => {
    const seen: string[] = [];
    for (let calls = 0; ; calls++) {
      const output = join(folder, String(calls));
      const path = join(output, "checkpoint-8");
      await mkdir(output);
      await folderOf(path, "old");
      const { signal, status } = spawnSync(process.execPath, [writer, path, String(calls)]);
      const left = await readdir(output);
      seen.push(left.includes("checkpoint-8") ? "there" : "aside");
      // The next run looks for its last checkpoint.
      expect(await lastCheckpoint(output)).toBe(path);
      expect(await readdir(output)).toEqual(["checkpoint-8"]);
      const held = await heldBy(path);
      expect(whole).toContain(held);
      if (signal === null) {
        expect([status, held]).toEqual([0, whole[1]]);
        break;
      }
      expect(signal).toBe("SIGKILL");
    }
    // One of the places is between the two renames: the old folder was the only whole copy, and hidden.
    expect(seen.filter((place) => place === "aside")).toHaveLength(1);
    expect(seen.length).toBeGreaterThan(10);
  });

  it("is made good by the next writer of that folder, too", async () => {
    const aside = join(folder, `.merged.old-${endedPid()}-0123abcd`);
    await folderOf(aside, "old");
    const failing = platform.writeFolderAtomic(join(folder, "merged"), async () => {
      throw new Error("half-way");
    });
    await expect(failing).rejects.toThrow("half-way");
    expect(await readdir(folder)).toEqual(["merged"]);
    expect(await heldBy(join(folder, "merged"))).toBe(whole[0]);
  });
});

describe("mending a folder", () => {
  it("leaves what running processes write, and what is not Graft's, alone", async () => {
    const names = [
      `.a.old-${process.pid}-0123abcd`,
      `.a.tmp-${process.pid}-0123abcd`,
      ".a.old-12",
      ".cache",
      "a.old-1-0123abcd",
    ];
    for (const name of names) await folderOf(join(folder, name), "old");
    await platform.mendInterruptedWrites(folder);
    expect(await readdir(folder)).toEqual([...names].sort());
  });

  it("brings the newest of two back, and neither over a folder that is there", async () => {
    const pid = endedPid();
    await folderOf(join(folder, `.a.old-${pid}-00000000`), "older");
    await utimes(join(folder, `.a.old-${pid}-00000000`), 1, 1);
    await folderOf(join(folder, `.a.old-${pid}-ffffffff`), "newer");
    await folderOf(join(folder, `.b.old-${pid}-00000000`), "old");
    await folderOf(join(folder, "b"), "new");
    await platform.mendInterruptedWrites(folder);
    expect(await readdir(folder)).toEqual(["a", "b"]);
    expect([await heldBy(join(folder, "a")), await heldBy(join(folder, "b"))]).toEqual([
      "one=newer two=newer",
      "one=new two=new",
    ]);
  });

  it("takes a folder that is not there", async () => {
    await platform.mendInterruptedWrites(join(folder, "missing"));
    expect(await readdir(folder)).toEqual([]);
  });
});
