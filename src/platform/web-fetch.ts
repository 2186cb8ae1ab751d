import { GraftError, messageOf } from "../errors.js";

async function request(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    throw new GraftError(
      "file-not-found",
      `cannot fetch ${path}: ${messageOf(error)}`,
      "Mount the file with platform.mountFile, or check the URL, the network and the server's CORS headers.",
      { cause: error },
    );
  }
}

function refuse(path: string, response: Response): GraftError {
  const missing = response.status === 404 || response.status === 410;
  return new GraftError(
    missing ? "file-not-found" : "file-access",
    `cannot fetch ${path}: the server answered ${response.status} ${response.statusText}`.trim(),
    missing ? "Mount the file with platform.mountFile, or check the URL." : "Check the server and your access to it.",
  );
}

/** The whole body behind a URL. */
export async function fetchFile(path: string): Promise<Uint8Array> {
  const response = await request(path, {});
  if (!response.ok) throw refuse(path, response);
  return new Uint8Array(await response.arrayBuffer());
}

/** Part of a body: `whole` is set when the server ignored the range and sent everything. */
export async function fetchRange(
  path: string,
  offset: number,
  length: number,
): Promise<{ bytes: Uint8Array; whole: boolean }> {
  const response = await request(path, { headers: { Range: `bytes=${offset}-${offset + length - 1}` } });
  if (!response.ok) throw refuse(path, response);
  return { bytes: new Uint8Array(await response.arrayBuffer()), whole: response.status !== 206 };
}

/** Size of a body as the server states it; `undefined` when it states none, or one of the compressed form. */
export async function fetchSize(path: string): Promise<number | undefined> {
  const response = await request(path, { method: "HEAD" });
  if (!response.ok) throw refuse(path, response);
  const length = response.headers.get("content-length");
  return length === null || response.headers.has("content-encoding") ? undefined : Number(length);
}

/** Whether a URL answers. */
export async function fetchExists(path: string): Promise<boolean> {
  try {
    return (await fetch(path, { method: "HEAD" })).ok;
  } catch {
    return false;
  }
}
