import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { findWorker } from "#graft/platform/node-workers";

describe("the worker's module", () => {
  it("is beside the module that asks, or wherever a URL that is no file's says", () => {
    const beside = new URL("../../dist/node/runtime/worker.js", import.meta.url);
    expect(findWorker(() => beside)).toBe(beside);
    const served = new URL("https://example.org/worker.js");
    expect(findWorker(() => served)).toBe(served);
  });

  it("is that of the installed package where a bundler took the two apart, or left no URL to start from", () => {
    const moved = () => new URL("./no-such-worker.js", import.meta.url);
    const none = () => new URL("./worker.js", undefined);
    for (const beside of [moved, none]) {
      // This package finds itself by its own name.
      const found = findWorker(beside);
      expect(existsSync(fileURLToPath(found))).toBe(true);
      expect(found.pathname).toMatch(/runtime\/worker\.[jt]s$/);
    }
  });

  it("is asked for where it is in neither place", () => {
    const [program, folder] = [process.argv[1], process.cwd()];
    process.argv[1] = "/program.mjs";
    process.chdir("/");
    try {
      expect(() => findWorker(() => new URL("file:///no-such-worker.js"))).toThrow(/a bundler took them apart/);
    } finally {
      process.chdir(folder);
      process.argv[1] = program as string;
    }
  });
});
