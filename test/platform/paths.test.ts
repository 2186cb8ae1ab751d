import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, win32 } from "node:path";
import { describe, expect, it } from "vitest";
import { ExternalData } from "#graft/compile/external-data";
import { platform } from "#graft/platform/node";
import { requireUsableNames, slashed } from "#graft/platform/node-paths";
import * as web from "#graft/platform/web-paths";

describe("Windows paths", () => {
  const fine = [
    "C:\\runs\\sst2",
    "C:/runs/sst2",
    "D:runs",
    "\\\\server\\share\\runs\\a b",
    "\\\\?\\C:\\runs",
    "runs\\..\\other",
    ".\\.cache",
    "console\\nullable\\com10\\auxiliary.txt",
    "C:\\",
    "пробег\\実行",
  ];
  it.each(fine)("%s can be written", (path) => {
    expect(() => requireUsableNames(path, "win32")).not.toThrow();
  });

  it.each([
    ["nul", '"nul" is the name of a device'],
    ["C:\\runs\\CON", '"CON" is the name of a device'],
    ["runs/aux.safetensors", '"aux.safetensors" is the name of a device'],
    ["runs\\com1.tar.gz\\x", '"com1.tar.gz" is the name of a device'],
    ["runs\\LPT³", '"LPT³" is the name of a device'],
    ["runs\\nul ", '"nul " is the name of a device'],
    ["\\\\server\\share\\prn", '"prn" is the name of a device'],
    ["runs\\a:b", '"a:b" holds ":"'],
    ["runs\\what?", '"what?" holds "?"'],
    ["runs\\a\tb", 'holds "\\t"'],
    ["runs.\\x", '"runs." ends with a dot or a space'],
    ["runs \\x", '"runs " ends with a dot or a space'],
  ])("%j would become something else, and is refused", (path, told) => {
    expect(() => requireUsableNames(path, "win32")).toThrow(
      expect.objectContaining({ code: "file-access", message: expect.stringContaining(told) }),
    );
    expect(() => requireUsableNames(path, "linux")).not.toThrow();
  });

  it("have slashes between their parts, there alone", () => {
    expect(slashed("C:\\models\\bert\\model.safetensors", "win32")).toBe("C:/models/bert/model.safetensors");
    expect(slashed("\\\\server\\share\\m", "win32")).toBe("//server/share/m");
    expect(slashed("/models/back\\slash", "linux")).toBe("/models/back\\slash");
    // What has slashes is a path for Windows as before.
    for (const path of ["C:\\models\\bert", "\\\\server\\share\\m\\n"]) {
      expect(win32.resolve(slashed(path, "win32"))).toBe(path);
      expect(win32.resolve(win32.dirname(slashed(path, "win32")))).toBe(win32.dirname(path));
      expect(win32.basename(slashed(path, "win32"))).toBe(win32.basename(path));
    }
  });

  it.each([
    ["C:\\models\\bert", "C:/models/bert"],
    ["\\\\server\\share\\bert", "//server/share/bert"],
  ])("%s: a model's files are named from their folder on", (folder, expected) => {
    const files = ["model-1.safetensors", "model-2.safetensors"].map((name) =>
      slashed(win32.join(folder, name), "win32"),
    );
    expect(new ExternalData(files).folder).toBe(expected);
  });
});

describe("paths of this system", () => {
  it("a real path is the system's own", async () => {
    const folder = await mkdtemp(join(tmpdir(), "graft\\paths-"));
    expect(await platform.realPath(folder)).toBe(slashed(await realpath(folder)));
    await rm(folder, { recursive: true });
  });
});

describe("paths of a page", () => {
  it("drive letters and backslashes are parts of names, since a page's paths have none", () => {
    expect(web.join("/picked", "C:\\pictures\\cat.jpg")).toBe("/picked/C:\\pictures\\cat.jpg");
    expect(web.extname("C:\\pictures\\cat.jpg")).toBe(".jpg");
  });
});
