import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { platform } from "#graft/platform/node";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-folders-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("making a folder", () => {
  it("makes its parents, and takes one that is there, also behind a link", async () => {
    const deep = join(folder, "a", "b", "c");
    await platform.makeDirectory(deep);
    await platform.makeDirectory(deep);
    await platform.makeDirectory(join(folder, "x", "..", "y"));
    await symlink(join(folder, "a"), join(folder, "link"));
    await platform.makeDirectory(join(folder, "link"));
    await platform.makeDirectory(join(folder, "link", "d"));
    expect(await readdir(join(folder, "a"))).toEqual(["b", "d"]);
    expect(await readdir(folder)).toEqual(["a", "link", "y"]);
    await Promise.all(Array.from({ length: 8 }, () => platform.makeDirectory(join(folder, "p", "q", "r"))));
    expect(existsSync(join(folder, "p", "q", "r"))).toBe(true);
  });

  const places = ["/proc/x", "/proc/x/y/z", "/proc/self/fd/x", "/proc/self/x/y"];
  it.runIf(process.platform === "linux").each(places)("%s ends with an error", async (path) => {
    const failed = expect(platform.makeDirectory(path)).rejects;
    await failed.toMatchObject({
      code: "file-access",
      message: expect.stringMatching(RegExp(`cannot create ${path}: nothing can be created in /proc`)),
      hint: expect.stringMatching(/folder/),
    });
    await expect(platform.writeFolderAtomic(path, async () => {})).rejects.toMatchObject({ code: "file-access" });
  });

  it("names what is in the way", async () => {
    await writeFile(join(folder, "file"), "");
    await symlink(join(folder, "gone"), join(folder, "dangling"));
    await symlink(join(folder, "loop"), join(folder, "loop"));
    for (const [path, told] of [
      [join(folder, "file"), "file is not a folder"],
      [join(folder, "file", "x"), "below something that is not a folder"],
      [join(folder, "file", "x", "y"), "below something that is not a folder"],
      [join(folder, "dangling"), "dangling is a link to nothing"],
      [join(folder, "dangling", "x", "y"), "dangling is a link to nothing"],
      [join(folder, "loop", "x"), "a link that leads back to itself"],
    ] as const) {
      await expect(platform.makeDirectory(path)).rejects.toMatchObject({
        code: "file-access",
        message: expect.stringContaining(told),
      });
    }
    expect(existsSync(join(folder, "gone"))).toBe(false);
  });

  // Root may write everywhere.
  it.runIf(process.getuid?.() !== 0)("a parent without write permission is named", async () => {
    await mkdir(join(folder, "locked"));
    await chmod(join(folder, "locked"), 0o555);
    await expect(platform.makeDirectory(join(folder, "locked", "x"))).rejects.toMatchObject({
      code: "file-access",
      message: expect.stringContaining("may not be accessed"),
    });
  });

  it.runIf(existsSync("/sys/kernel"))("a read-only or closed file system is named", async () => {
    await expect(platform.makeDirectory("/sys/kernel/x/y")).rejects.toMatchObject({ code: "file-access" });
  });
});
