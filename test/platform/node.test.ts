import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { platform } from "#graft/platform/node";
import { fileError } from "#graft/platform/node-errors";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-platform-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("reading", () => {
  test("a file, its size and a part of it", async () => {
    const path = join(folder, "f");
    await writeFile(path, "héllo");
    expect(await platform.readText(path)).toBe("héllo");
    expect(await platform.readFile(path)).toEqual(new TextEncoder().encode("héllo"));
    expect(await platform.fileSize(path)).toBe(6);
    const version = await platform.fileVersion(path);
    expect(await platform.fileVersion(path)).toBe(version);
    await platform.writeFileAtomic(path, await platform.readFile(path));
    expect(await platform.fileVersion(path)).not.toBe(version);
    const part = await platform.readRange(path, 3, 2);
    expect([[...part], part.byteOffset, part.buffer.byteLength]).toEqual([[0x6c, 0x6c], 0, 2]);
    expect(await platform.readRange(path, 6, 0)).toHaveLength(0);
    const target = new Uint8Array(4).fill(1);
    await platform.readInto(path, 3, target.subarray(1, 3));
    expect([...target]).toEqual([1, 0x6c, 0x6c, 1]);
  });

  test.each([
    [0, 7],
    [6, 1],
    [-1, 1],
    [0, -1],
    [0.5, 1],
    [Number.NaN, 1],
    [2 ** 53, 1],
  ])("the range from %d of %d bytes lies outside", async (offset, length) => {
    await writeFile(join(folder, "f"), "123456");
    await expect(platform.readRange(join(folder, "f"), offset, length)).rejects.toMatchObject({ code: "file-access" });
    if (!(length >= 0)) return;
    const filled = platform.readInto(join(folder, "f"), offset, new Uint8Array(length));
    await expect(filled).rejects.toMatchObject({
      code: "file-access",
      message: expect.stringContaining("6 bytes"),
    });
  });

  test("folders are listed in order, links count as what they point to", async () => {
    await mkdir(join(folder, "sub"));
    await writeFile(join(folder, "b"), "");
    await symlink(join(folder, "sub"), join(folder, "a"));
    await symlink(join(folder, "gone"), join(folder, "dangling"));
    expect(await platform.listDirectory(folder)).toEqual([
      { name: "a", isDirectory: true },
      { name: "b", isDirectory: false },
      { name: "dangling", isDirectory: false },
      { name: "sub", isDirectory: true },
    ]);
    expect(await platform.exists(join(folder, "dangling"))).toBe(false);
    expect(await platform.isDirectory(join(folder, "a"))).toBe(true);
    expect(await platform.realPath(join(folder, "a"))).toBe(join(folder, "sub"));
  });

  test("what is not there, or not of that kind, is a GraftError with the path", async () => {
    const missing = join(folder, "missing");
    for (const attempt of [
      () => platform.readFile(missing),
      () => platform.readRange(missing, 0, 1),
      () => platform.readInto(missing, 0, new Uint8Array(1)),
      () => platform.fileSize(missing),
    ]) {
      await expect(attempt()).rejects.toMatchObject({
        code: "file-not-found",
        message: expect.stringContaining(missing),
      });
    }
    await expect(platform.listDirectory(missing)).rejects.toMatchObject({ code: "file-not-found" });
    await expect(platform.readFile(folder)).rejects.toMatchObject({
      code: "file-access",
      message: expect.stringMatching(/is a folder/),
    });
    await writeFile(missing, "");
    await expect(platform.readFile(join(missing, "x"))).rejects.toMatchObject({ code: "file-access" });
  });
});

describe("writing a file", () => {
  test("text, bytes and pieces replace what was there", async () => {
    const path = join(folder, "f");
    await platform.writeFileAtomic(path, "long old text");
    await platform.writeFileAtomic(path, new Uint8Array([65, 66]));
    expect(await readFile(path, "utf8")).toBe("AB");
    await platform.writeFileAtomic(path, [new Uint8Array([67]), new Uint8Array([68, 69])]);
    expect(await readFile(path, "utf8")).toBe("CDE");
    await platform.appendFile(path, "F");
    expect(await readFile(path, "utf8")).toBe("CDEF");
    expect(await readdir(folder)).toEqual(["f"]);
  });

  test("a failure half-way leaves the old file and nothing else", async () => {
    const path = join(folder, "f");
    await writeFile(path, "old");
    async function* failing() {
      yield new Uint8Array(100_000);
      throw new Error("half-way");
    }
    await expect(platform.writeFileAtomic(path, failing())).rejects.toMatchObject({ name: "GraftError" });
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["f"]);
  });

  test("a folder in the way and a missing parent are refused", async () => {
    await mkdir(join(folder, "d"));
    await expect(platform.writeFileAtomic(join(folder, "d"), "x")).rejects.toMatchObject({ code: "file-access" });
    await expect(platform.writeFileAtomic(join(folder, "no", "f"), "x")).rejects.toMatchObject({
      code: "file-not-found",
    });
    expect(await readdir(folder)).toEqual(["d"]);
  });

  test.runIf(process.platform === "linux")("a full disk is named", async () => {
    await expect(platform.appendFile("/dev/full", "x")).rejects.toMatchObject({
      code: "disk-full",
      hint: expect.stringMatching(/space/),
    });
  });

  test.each([
    ["ENOSPC", "disk-full"],
    ["EDQUOT", "disk-full"],
    ["EACCES", "file-access"],
    ["EROFS", "file-access"],
    ["ENOENT", "file-not-found"],
    ["EIO", "file-access"],
  ])("the system's %s becomes %s", (errno, code) => {
    const error = fileError(Object.assign(new Error("system"), { code: errno }), "write", "/a/b");
    expect(error).toMatchObject({ name: "GraftError", code, message: expect.stringContaining("cannot write /a/b") });
  });
});

describe("writing a folder", () => {
  const fill = (text: string) => (temporary: string) => platform.writeFileAtomic(join(temporary, text), text);

  test("it appears whole and replaces the old one", async () => {
    const path = join(folder, "deep", "checkpoint");
    await platform.writeFolderAtomic(path, fill("one"));
    expect(await readdir(path)).toEqual(["one"]);
    await platform.writeFolderAtomic(path, fill("two"));
    expect(await readdir(path)).toEqual(["two"]);
    expect(await readdir(join(folder, "deep"))).toEqual(["checkpoint"]);
  });

  test("a failure leaves the old one, and a file is not replaced", async () => {
    const path = join(folder, "checkpoint");
    await platform.writeFolderAtomic(path, fill("one"));
    const failing = async (temporary: string) => {
      await fill("two")(temporary);
      throw new Error("half-way");
    };
    await expect(platform.writeFolderAtomic(path, failing)).rejects.toMatchObject({ name: "GraftError" });
    expect(await readdir(path)).toEqual(["one"]);
    await expect(platform.writeFolderAtomic(join(path, "one"), fill("two"))).rejects.toMatchObject({
      code: "file-access",
      message: expect.stringMatching(/is a file, not a folder/),
    });
    expect([await readdir(folder), await readdir(path)]).toEqual([["checkpoint"], ["one"]]);
  });
});

describe("workers", () => {
  const url = new URL("./echo-worker.mjs", import.meta.url);
  const firstError = (message: string) =>
    new Promise<Error>((resolve) => {
      const worker = platform.spawnWorker(url);
      worker.onError(resolve);
      worker.postMessage(message);
    });

  test("messages go both ways and buffers move", async () => {
    const worker = platform.spawnWorker(url);
    const answer = new Promise((resolve) => worker.onMessage(resolve));
    const data = new Float32Array([1, 2]);
    worker.postMessage(data, [data.buffer]);
    expect(await answer).toEqual({ echo: new Float32Array([1, 2]) });
    expect(data).toHaveLength(0);
    await worker.terminate();
  });

  test("what a worker throws, and a worker that ends badly, reach onError once", async () => {
    expect((await firstError("throw")).message).toBe("thrown in the worker");
    expect(await firstError("exit")).toMatchObject({ code: "engine", message: expect.stringMatching(/status 3/) });
  });

  test("terminating is no error", async () => {
    const worker = platform.spawnWorker(url);
    const errors: Error[] = [];
    worker.onError((error) => errors.push(error));
    await worker.terminate();
    expect(errors).toEqual([]);
  });

  test("the main thread has no port", () => {
    expect(() => platform.workerPort()).toThrow(expect.objectContaining({ code: "engine" }));
  });
});

test("memory, clock and the count of processors are told", () => {
  const held = new Uint8Array(64 << 20).fill(1);
  const memory = platform.memoryUsage() ?? expect.fail("no figures");
  expect(memory.rss).toBeGreaterThan(held.length);
  expect(memory.peakRss).toBeGreaterThanOrEqual(memory.rss);
  expect(platform.now()).toBeLessThanOrEqual(platform.now());
  expect(platform.cpuCount()).toBeGreaterThan(0);
});

test("mounting is the browser's", () => {
  expect(() => platform.mountFile("x", new Uint8Array())).toThrow(expect.objectContaining({ code: "unsupported" }));
});
