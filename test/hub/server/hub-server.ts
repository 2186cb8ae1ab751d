import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Asked, type Fault, send } from "./faults.js";
import {
  type Commit,
  isLarge,
  Repository,
  type RepositoryOptions,
  type RepoType,
  type StoredFile,
  sha256,
} from "./repositories.js";

type Headers = Readonly<Record<string, string>>;

interface Refusal {
  readonly status: number;
  readonly code?: string;
  readonly message: string;
}

const decode = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of request) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces);
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<Server> {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      response.writeHead(500, { "X-Error-Message": String(error).replaceAll("\n", " ") }).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** A server that speaks the Hub's HTTP API, and a second host for large files, on loopback. */
export class HubServer {
  readonly repositories = new Map<string, Repository>();
  /** Users by token. */
  readonly users = new Map<string, string>([["hf_test_token", "tester"]]);
  /** Repositories that gated access was granted to, by user. */
  readonly granted = new Set<string>();
  /** Names that repositories had before. */
  readonly renamed = new Map<string, string>();
  /** All that was asked, as "GET hub /api/...". */
  readonly log: string[] = [];
  /** Decides what goes wrong. */
  fault: (asked: Asked) => Fault | undefined = () => undefined;
  /** Entries of a page of a tree. */
  pageSize = 1000;
  /** Bytes that the second host has sent. */
  storeBytes = 0;
  private readonly uploads = new Map<string, Uint8Array>();

  private constructor(
    private readonly hub: Server,
    private readonly store: Server,
  ) {}

  static async start(): Promise<HubServer> {
    let made: HubServer | undefined;
    const hub = await listen(async (request, response) => made?.answer("hub", request, response));
    const store = await listen(async (request, response) => made?.answer("store", request, response));
    made = new HubServer(hub, store);
    return made;
  }

  get url(): string {
    return urlOf(this.hub);
  }

  async stop(): Promise<void> {
    for (const server of [this.hub, this.store]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  add(type: RepoType, id: string, files: Readonly<Record<string, Uint8Array | string>>, options?: RepositoryOptions) {
    const repository = new Repository(type, id, options);
    this.repositories.set(`${type}/${id}`, repository);
    if (Object.keys(files).length > 0) repository.commit(files);
    return repository;
  }

  private async answer(host: "hub" | "store", request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://hub");
    const asked: Asked = { host, method: request.method ?? "GET", path: decodeURIComponent(url.pathname) };
    this.log.push(`${asked.method} ${host} ${asked.path}${url.search}`);
    const body = await bodyOf(request);
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "*");
    response.setHeader("Access-Control-Expose-Headers", "*");
    if (asked.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    const fault = this.fault(asked);
    if (fault?.kind === "reset") {
      request.socket.destroy();
      return;
    }
    if (fault?.kind === "status") {
      response.writeHead(fault.status, fault.headers).end();
      return;
    }
    if (host === "store") this.answerStore(asked, request, response, body, fault);
    else this.answerHub(asked, url, request, response, body, fault);
  }

  private refuse(response: ServerResponse, { status, code, message }: Refusal): undefined {
    response.writeHead(status, {
      "Content-Type": "application/json",
      ...(code !== undefined && { "X-Error-Code": code }),
      "X-Error-Message": message,
    });
    response.end(JSON.stringify({ error: message }));
  }

  private json(response: ServerResponse, value: unknown, headers: Headers = {}): undefined {
    response.writeHead(200, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(value));
  }

  private userOf(request: IncomingMessage): string | undefined {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    return token === undefined ? undefined : this.users.get(token);
  }

  /** A repository as the caller may see it; for others it is not there. */
  private visible(type: RepoType, id: string, request: IncomingMessage): Repository | Refusal {
    const repository = this.repositories.get(`${type}/${id}`);
    const user = this.userOf(request);
    if (request.headers.authorization !== undefined && user === undefined) {
      return { status: 401, message: "Invalid credentials in Authorization header" };
    }
    const isHidden = repository?.options.private === true && repository.id.split("/")[0] !== user;
    if (repository !== undefined && !isHidden) return repository;
    return user === undefined
      ? { status: 401, code: "RepoNotFound", message: "Invalid username or password." }
      : { status: 404, code: "RepoNotFound", message: "Repository not found" };
  }

  private answerHub(
    asked: Asked,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
    body: Uint8Array,
    fault: Fault | undefined,
  ): undefined {
    const { method, path } = asked;
    if (path === "/api/whoami-v2") {
      const user = this.userOf(request);
      if (user === undefined) return this.refuse(response, { status: 401, message: "Invalid credentials" });
      return this.json(response, {
        type: "user",
        name: user,
        id: user,
        orgs: [],
        auth: { type: "access_token", accessToken: { displayName: "test", role: "write" } },
      });
    }
    if (path === "/api/repos/create") return this.create(request, response, body);
    const list = /^\/api\/(model|dataset)s$/.exec(path);
    if (list) {
      const search = (url.searchParams.get("search") ?? "").toLowerCase();
      const found = [...this.repositories.values()].filter(
        ({ type, id, options }) => type === list[1] && !options.private && id.toLowerCase().includes(search),
      );
      return this.json(
        response,
        found.map(({ id }) => ({
          _id: id,
          id,
          likes: 0,
          downloads: 0,
          private: false,
          gated: false,
          lastModified: new Date(0),
        })),
      );
    }
    const route =
      /^\/api\/(model|dataset)s\/([^/]+(?:\/[^/]+)?)()$/.exec(path) ??
      /^\/api\/(model|dataset)s\/([^/]+(?:\/[^/]+)?)\/((?:revision|tree|preupload|commit|branch)\/.+)$/.exec(path);
    if (route) {
      const [, type, id, rest] = route as unknown as [string, RepoType, string, string];
      return this.answerApi(type, id, rest, url, request, response, body, method);
    }
    const file = /^\/(datasets\/)?([^/]+(?:\/[^/]+)?)\/resolve\/(refs\/(?:convert|pr)\/[^/]+|[^/]+)\/(.+)$/.exec(path);
    if (file) {
      const [, dataset, id = "", revision = "", name = ""] = file;
      return this.resolve(dataset ? "dataset" : "model", id, revision, name, request, response, fault);
    }
    const batch = /^\/(datasets\/)?(.+)\.git\/info\/lfs\/objects\/batch$/.exec(path);
    if (batch) return this.lfsBatch(response, body);
    this.refuse(response, { status: 404, message: `no such page: ${path}` });
  }

  private answerApi(
    type: RepoType,
    id: string,
    rest: string,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
    body: Uint8Array,
    method: string,
  ): undefined {
    const newName = this.renamed.get(id);
    if (newName !== undefined) {
      response.writeHead(307, { Location: url.pathname.replace(id, newName) }).end();
      return;
    }
    const repository = this.visible(type, id, request);
    if (!(repository instanceof Repository)) return this.refuse(response, repository);
    const [kind = "", ...others] = rest.split("/");
    if (method === "POST") {
      if (this.userOf(request) !== id.split("/")[0]) {
        return this.refuse(response, { status: 403, message: `You don't have write access to ${id}` });
      }
      if (kind === "preupload") return this.preupload(response, body);
      if (kind === "branch") return this.branch(repository, others.join("/"), response);
      return this.commit(repository, others.join("/"), response, body);
    }
    const isSpecial = others[0] === "refs";
    const revision = kind === "" ? "main" : isSpecial ? others.slice(0, 3).join("/") : (others[0] ?? "main");
    const commit = repository.at(revision);
    if (commit === undefined) {
      return this.refuse(response, { status: 404, code: "RevisionNotFound", message: `Invalid rev id: ${revision}` });
    }
    if (kind === "tree") {
      return this.tree(commit, others.slice(isSpecial ? 3 : 1).join("/"), url, response);
    }
    const { options } = repository;
    this.json(response, {
      id,
      sha: commit.sha,
      private: options.private === true,
      gated: options.gated ? "auto" : false,
      siblings: [...commit.files.keys()].map((rfilename) => ({ rfilename })),
      downloads: 0,
      likes: 0,
    });
  }

  private tree(commit: Commit, folder: string, url: URL, response: ServerResponse): undefined {
    const start = Number(url.searchParams.get("cursor") ?? 0);
    const all = [...commit.files].filter(([path]) => folder === "" || path.startsWith(`${folder}/`));
    const page = all.slice(start, start + this.pageSize).map(([path, { bytes, lfs, etag }]) => ({
      type: "file",
      path,
      size: bytes.length,
      oid: lfs ? sha256(new TextEncoder().encode(path)).slice(0, 40) : etag,
      ...(lfs && { lfs: { oid: etag, size: bytes.length, pointerSize: 134 } }),
    }));
    const next = new URL(url.pathname + url.search, this.url);
    next.searchParams.set("cursor", String(start + this.pageSize));
    const hasMore = start + this.pageSize < all.length;
    this.json(response, page, hasMore ? { Link: `<${next.href}>; rel="next"` } : {});
  }

  private resolve(
    type: RepoType,
    id: string,
    revision: string,
    name: string,
    request: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): undefined {
    const newName = this.renamed.get(id);
    if (newName !== undefined) {
      response.writeHead(307, { Location: (request.url ?? "").replace(id, newName) }).end();
      return;
    }
    const repository = this.visible(type, id, request);
    if (!(repository instanceof Repository)) return this.refuse(response, repository);
    const user = this.userOf(request);
    if (repository.options.disabled)
      return this.refuse(response, {
        status: 403,
        code: "DisabledRepo",
        message: "Access to this resource is disabled.",
      });
    if (repository.options.gated && !this.granted.has(`${user} ${id}`)) {
      const message = `Access to ${type} ${id} is restricted.`;
      return this.refuse(response, { status: user ? 403 : 401, code: "GatedRepo", message });
    }
    const commit = repository.at(revision);
    if (!commit)
      return this.refuse(response, { status: 404, code: "RevisionNotFound", message: `Invalid rev id: ${revision}` });
    const file = commit.files.get(name);
    const common = { "X-Repo-Commit": commit.sha };
    if (!file) {
      response.setHeader("X-Repo-Commit", commit.sha);
      return this.refuse(response, { status: 404, code: "EntryNotFound", message: "Entry not found" });
    }
    if (!file.lfs) return this.sendFile(file, request, response, { ...common, ETag: `"${file.etag}"` }, fault);
    response.writeHead(302, {
      ...common,
      ETag: '"0123456789abcdef"',
      "X-Linked-ETag": `"${file.etag}"`,
      "X-Linked-Size": String(file.bytes.length),
      Location: `${urlOf(this.store)}/${type}/${id}/${file.etag}?signature=yes`,
    });
    response.end();
  }

  private sendFile(
    file: StoredFile,
    request: IncomingMessage,
    response: ServerResponse,
    headers: Headers,
    fault: Fault | undefined,
  ): undefined {
    const range = fault?.kind === "ignore-range" ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const { bytes } = file;
    const common = { ...headers, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream" };
    if (request.method === "HEAD") {
      response.writeHead(200, { ...common, "Content-Length": String(bytes.length) }).end();
      return;
    }
    if (!range) {
      send(response, 200, common, bytes, fault);
      return;
    }
    const start = Number(range[1]);
    const end = Math.min(range[2] ? Number(range[2]) + 1 : bytes.length, bytes.length);
    if (start >= bytes.length) {
      response.writeHead(416, { "Content-Range": `bytes */${bytes.length}` }).end();
      return;
    }
    const told = { ...common, "Content-Range": `bytes ${start}-${end - 1}/${bytes.length}` };
    send(response, 206, told, bytes.subarray(start, end), fault);
  }

  private answerStore(
    asked: Asked,
    request: IncomingMessage,
    response: ServerResponse,
    body: Uint8Array,
    fault: Fault | undefined,
  ): undefined {
    // A signed URL must not be asked with the Hub's token, which would be told to a stranger.
    if (request.headers.authorization !== undefined) {
      return this.refuse(response, { status: 400, message: "Only one auth mechanism allowed" });
    }
    if (asked.method === "HEAD")
      return this.refuse(response, { status: 403, message: "The address is signed for GET" });
    const name = asked.path.split("/").at(-1) ?? "";
    if (asked.method === "PUT") {
      if (sha256(body) !== name) return this.refuse(response, { status: 400, message: "SHA-256 mismatch" });
      this.uploads.set(name, body);
      response.writeHead(200).end();
      return;
    }
    for (const { commits } of this.repositories.values()) {
      for (const { files } of commits.values()) {
        for (const file of files.values()) {
          if (file.etag !== name) continue;
          const before = response.socket?.bytesWritten ?? 0;
          response.once("close", () => {
            this.storeBytes += (request.socket.bytesWritten ?? 0) - before;
          });
          return this.sendFile(file, request, response, { ETag: `"s3-${name.slice(0, 8)}"` }, fault);
        }
      }
    }
    this.refuse(response, { status: 404, message: "no such object" });
  }

  private create(request: IncomingMessage, response: ServerResponse, body: Uint8Array): undefined {
    const user = this.userOf(request);
    const {
      name,
      organization,
      type = "model",
      visibility,
      private: isPrivate,
    } = decode(body) as {
      name: string;
      organization?: string;
      type?: RepoType;
      visibility?: string;
      private?: boolean;
    };
    if (user === undefined) return this.refuse(response, { status: 401, message: "Invalid credentials" });
    const owner = organization ?? user;
    if (owner !== user)
      return this.refuse(response, {
        status: 403,
        message: `You don't have the rights to create a ${type} under the namespace "${owner}"`,
      });
    const id = `${owner}/${name}`;
    if (this.repositories.has(`${type}/${id}`)) {
      return this.refuse(response, { status: 409, message: "You already created this model repo" });
    }
    const repository = this.add(type, id, {}, { private: visibility === "private" || isPrivate === true });
    repository.commit(
      { ".gitattributes": "*.safetensors filter=lfs diff=lfs merge=lfs -text\n" },
      "main",
      "initial commit",
    );
    this.json(response, { url: `${this.url}/${id}`, id, name: id });
  }

  private preupload(response: ServerResponse, body: Uint8Array): undefined {
    const { files } = decode(body) as { files: { path: string; size: number }[] };
    this.json(response, {
      files: files.map(({ path, size }) => ({
        path,
        uploadMode: isLarge(path) || size > 10_000_000 ? "lfs" : "regular",
        shouldIgnore: false,
      })),
    });
  }

  private lfsBatch(response: ServerResponse, body: Uint8Array): undefined {
    const { objects } = decode(body) as { objects: { oid: string; size: number }[] };
    this.json(response, {
      transfer: "basic",
      objects: objects.map(({ oid, size }) => ({
        oid,
        size,
        ...(!this.uploads.has(oid) && { actions: { upload: { href: `${urlOf(this.store)}/upload/${oid}` } } }),
      })),
    });
  }

  private branch(repository: Repository, name: string, response: ServerResponse): undefined {
    if (repository.refs.has(name)) return this.refuse(response, { status: 409, message: "Reference already exists" });
    repository.refs.set(name, repository.refs.get("main") as string);
    this.json(response, {});
  }

  private commit(repository: Repository, branch: string, response: ServerResponse, body: Uint8Array): undefined {
    if (!repository.refs.has(branch)) {
      return this.refuse(response, { status: 404, code: "RevisionNotFound", message: `Invalid rev id: ${branch}` });
    }
    const lines = new TextDecoder().decode(body).trim().split("\n");
    const files: Record<string, Uint8Array | null> = {};
    let title = "";
    for (const line of lines) {
      const { key, value } = JSON.parse(line) as { key: string; value: Record<string, string> };
      const path = value.path ?? "";
      if (key === "header") title = value.summary ?? "";
      if (key === "file") files[path] = Buffer.from(value.content ?? "", "base64");
      if (key === "deletedFile") files[path] = null;
      if (key === "lfsFile") {
        const upload = this.uploads.get(value.oid ?? "");
        if (!upload) return this.refuse(response, { status: 400, message: `LFS object ${value.oid} was not uploaded` });
        files[path] = upload;
      }
    }
    const sha = repository.commit(files, branch, title);
    this.json(response, {
      success: true,
      commitOid: sha,
      commitUrl: `${this.url}/${repository.id}/commit/${sha}`,
      hookOutput: "",
    });
  }
}
