import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { platform } from "#graft/platform/web";

const body = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
const requests: string[] = [];
let server: Server;
let base: string;

/** `/ranges/*` honours Range, `/whole/*` does not, everything else is missing. */
beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (request.url?.startsWith("/ranges/") && range) {
      response.writeHead(206).end(body.slice(Number(range[1]), Number(range[2]) + 1));
    } else if (request.url?.startsWith("/ranges/") || request.url?.startsWith("/whole/")) {
      response.writeHead(200, { "content-length": body.length }).end(request.method === "HEAD" ? undefined : body);
    } else if (request.url?.startsWith("/application/")) {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<!doctype html>");
    } else if (request.url === "/cut-off") {
      response.writeHead(200, { "content-length": body.length }).write(body.slice(0, 4), () => response.destroy());
    } else {
      response.writeHead(request.url === "/broken" ? 500 : 404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

describe("paths", () => {
  test.each([
    [["a", "b"], "a/b"],
    [["/a/", "/b"], "/a/b"],
    [["https://host/x/", "y.json"], "https://host/x/y.json"],
    [["a/./b", "../c"], "a/c"],
    [["..", "a"], "../a"],
    [["https://host", "../../a"], "https://host/a"],
    [[""], "."],
  ])("join(%j) is %s", (parts, expected) => {
    expect(platform.join(...parts)).toBe(expected);
  });

  test.each([
    ["a/b.json", "a", "b.json", ".json"],
    ["/b", "/", "b", ""],
    ["b.tar.gz", ".", "b.tar.gz", ".gz"],
    ["https://host/a/b", "https://host/a", "b", ""],
    ["https://host/b", "https://host", "b", ""],
    ["a/.hidden", "a", ".hidden", ""],
  ])("%s has its folder, name and extension", (path, folder, name, extension) => {
    expect([platform.dirname(path), platform.basename(path), platform.extname(path)]).toEqual([
      folder,
      name,
      extension,
    ]);
  });
});

describe("the store in memory", () => {
  test("mounted files are read, listed and removed", async () => {
    platform.mountFile("/m/config.json", new TextEncoder().encode("{}"));
    platform.mountFile("/m/sub/x", body);
    expect(await platform.readText("/m//config.json")).toBe("{}");
    expect(await platform.readRange("/m/sub/x", 2, 3)).toEqual(new Uint8Array([2, 3, 4]));
    const target = new Uint8Array(3);
    await platform.readInto("/m/sub/x", 2, target);
    expect(target).toEqual(new Uint8Array([2, 3, 4]));
    await expect(platform.readInto("/m/sub/x", 8, target)).rejects.toMatchObject({ code: "file-access" });
    expect(await platform.fileSize("/m/sub/x")).toBe(10);
    expect(await platform.listDirectory("/m")).toEqual([
      { name: "config.json", isDirectory: false },
      { name: "sub", isDirectory: true },
    ]);
    expect([await platform.isDirectory("/m/sub"), await platform.isDirectory("/m/su")]).toEqual([true, false]);
    await expect(platform.readRange("/m/sub/x", 8, 3)).rejects.toMatchObject({ code: "file-access" });
    await platform.remove("/m");
    await expect(platform.listDirectory("/m")).rejects.toMatchObject({ code: "file-not-found" });
  });

  test("a picked file is read range by range; one that changed on the disk is named", async () => {
    const picked = new Blob([body]);
    platform.mountFile("/picked/weights", picked);
    expect(await platform.fileSize("/picked/weights")).toBe(10);
    expect(await platform.readRange("/picked/weights", 8, 2)).toEqual(new Uint8Array([8, 9]));
    expect(await platform.readFile("/picked/weights")).toEqual(body);
    await expect(platform.readRange("/picked/weights", 8, 3)).rejects.toMatchObject({ code: "file-access" });
    picked.arrayBuffer = () => Promise.reject(new DOMException("it has changed", "NotReadableError"));
    await expect(platform.readFile("/picked/weights")).rejects.toMatchObject({
      code: "file-access",
      message: "cannot read /picked/weights: it has changed",
    });
    await platform.remove("/picked");
  });

  test("files and folders are written whole", async () => {
    await platform.writeFileAtomic("/o/a", [new Uint8Array([1]), new Uint8Array([2])]);
    expect(await platform.readFile("/o/a")).toEqual(new Uint8Array([1, 2]));
    await platform.appendFile("/o/log", "x\n");
    await platform.appendFile("/o/log", "y\n");
    expect(await platform.readText("/o/log")).toBe("x\ny\n");
    await platform.writeFolderAtomic("/o", (temporary) => platform.writeFileAtomic(`${temporary}/new`, "n"));
    expect(await platform.listDirectory("/o")).toEqual([{ name: "new", isDirectory: false }]);
    const failing = platform.writeFolderAtomic("/o", async (temporary) => {
      await platform.writeFileAtomic(`${temporary}/half`, "");
      throw new Error("half-way");
    });
    await expect(failing).rejects.toThrow("half-way");
    expect(await platform.listDirectory("/o")).toEqual([{ name: "new", isDirectory: false }]);
    expect(await platform.listDirectory("/")).toEqual([{ name: "o", isDirectory: true }]);
  });
});

describe("URLs", () => {
  test("ranges are fetched as ranges", async () => {
    expect(await platform.fileSize(`${base}/ranges/f`)).toBe(10);
    expect(await platform.readRange(`${base}/ranges/f`, 4, 2)).toEqual(new Uint8Array([4, 5]));
    await expect(platform.readRange(`${base}/ranges/f`, 8, 4)).rejects.toMatchObject({ code: "file-access" });
    expect(await platform.readFile(`${base}/ranges/f`)).toEqual(body);
  });

  test("a server without ranges is asked once", async () => {
    const url = `${base}/whole/f`;
    expect(await platform.readRange(url, 4, 2)).toEqual(new Uint8Array([4, 5]));
    expect(await platform.readRange(url, 0, 1)).toEqual(new Uint8Array([0]));
    expect(requests.filter((request) => request.endsWith("/whole/f"))).toEqual(["GET /whole/f"]);
  });

  test("what is missing or fails is a GraftError with the URL", async () => {
    expect([await platform.exists(`${base}/ranges/f`), await platform.exists(`${base}/no`)]).toEqual([true, false]);
    await expect(platform.readFile(`${base}/no`)).rejects.toMatchObject({
      code: "file-not-found",
      message: expect.stringMatching(/\/no.*404/),
    });
    await expect(platform.readFile(`${base}/broken`)).rejects.toMatchObject({
      code: "file-access",
      message: expect.stringMatching(/500/),
    });
    await expect(platform.readFile(`${base}/cut-off`)).rejects.toMatchObject({
      code: "file-access",
      message: expect.stringMatching(/\/cut-off broke off/),
    });
    await expect(platform.readFile("relative/path")).rejects.toMatchObject({ code: "file-not-found" });
  });

  test("a server that answers every path with its application's page has no such file", async () => {
    const url = `${base}/application/config.json`;
    expect(await platform.exists(url)).toBe(false);
    for (const read of [platform.readFile(url), platform.fileSize(url), platform.readRange(url, 0, 4)]) {
      await expect(read).rejects.toMatchObject({ code: "file-not-found", message: expect.stringMatching(/HTML/) });
    }
    expect(await platform.readText(`${base}/application/index.html`)).toBe("<!doctype html>");
  });
});
