/** Splits "https://host" (or "") from the rest, so that its slashes survive. */
function splitOrigin(path: string): [string, string] {
  const match = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i.exec(path);
  return match ? [match[0], path.slice(match[0].length)] : ["", path];
}

/** One spelling per path: no empty, "." or needless ".." parts, no slash at the end. */
export function normalise(path: string): string {
  const [origin, rest] = splitOrigin(path);
  const rooted = rest.startsWith("/");
  const parts: string[] = [];
  for (const part of rest.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!rooted && origin === "") parts.push("..");
  }
  const prefix = origin === "" ? (rooted ? "/" : "") : parts.length > 0 ? `${origin}/` : origin;
  return prefix + parts.join("/") || ".";
}

export function join(...parts: string[]): string {
  return normalise(parts.filter((part) => part !== "").join("/"));
}

export function dirname(path: string): string {
  const [origin, rest] = splitOrigin(normalise(path));
  const cut = rest.lastIndexOf("/");
  if (cut > 0) return origin + rest.slice(0, cut);
  return origin || (cut === 0 ? "/" : ".");
}

export function basename(path: string): string {
  const [, rest] = splitOrigin(normalise(path));
  return rest.slice(rest.lastIndexOf("/") + 1);
}

export function extname(path: string): string {
  const name = basename(path);
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(dot) : "";
}
