// The simulated host's file tree: just enough of a file system for shell scripts to read, test, list, glob and write
// in. Nothing of the real disk can be reached from here. A file's content may be a function, for what changes by
// itself (`/proc/uptime`).
import { posix } from "node:path";

export type Node =
  | { is: "file"; content: string | (() => string); mode: number; owner: string; changedAt: number; sizeBytes?: number }
  | { is: "directory"; mode: number; owner: string; changedAt: number }
  | { is: "link"; to: string }
  | { is: "device"; mode: number; owner: string; changedAt: number };

/** What a file may be given beside its content. */
export type Attributes = { mode?: number; owner?: string; sizeBytes?: number; changedAt?: number };

const LINKS_MAX = 16;

export class Files {
  readonly #nodes = new Map<string, Node>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
    this.#nodes.set("/", { is: "directory", mode: 0o755, owner: "root", changedAt: now() });
  }

  /** Puts a file there with the folders above it. */
  add(path: string, content: string | (() => string), attributes: Attributes = {}): void {
    this.addDirectory(posix.dirname(path));
    const { mode = 0o644, owner = "root", changedAt = this.#now() } = attributes;
    const size = attributes.sizeBytes === undefined ? {} : { sizeBytes: attributes.sizeBytes };
    this.#nodes.set(path, { is: "file", content, mode, owner, changedAt, ...size });
  }

  addDirectory(path: string, attributes: Attributes = {}): void {
    if (this.#nodes.has(path)) return;
    if (path !== "/") this.addDirectory(posix.dirname(path));
    const { mode = 0o755, owner = "root", changedAt = this.#now() } = attributes;
    this.#nodes.set(path, { is: "directory", mode, owner, changedAt });
  }

  addLink(path: string, to: string): void {
    this.addDirectory(posix.dirname(path));
    this.#nodes.set(path, { is: "link", to });
  }

  addDevice(path: string): void {
    this.addDirectory(posix.dirname(path));
    this.#nodes.set(path, { is: "device", mode: 0o666, owner: "root", changedAt: this.#now() });
  }

  /** The path with every link followed; the last part need not exist. */
  resolve(path: string): string {
    let resolved = "/";
    let links = 0;
    let rest = posix
      .normalize(path)
      .split("/")
      .filter((part) => part !== "");
    while (rest.length > 0) {
      const [part = "", ...others] = rest;
      const next = posix.join(resolved, part);
      const node = this.#nodes.get(next);
      if (node?.is === "link" && links < LINKS_MAX) {
        links += 1;
        rest = [
          ...posix
            .resolve(resolved, node.to)
            .split("/")
            .filter((name) => name !== ""),
          ...others,
        ];
        resolved = "/";
      } else {
        resolved = next;
        rest = others;
      }
    }
    return resolved;
  }

  /** The node a path leads to; `follow: false` for the link itself. */
  node(path: string, follow = true): Node | undefined {
    return this.#nodes.get(follow ? this.resolve(path) : this.#parentResolved(path));
  }

  /** The content, or undefined when it is no readable file. */
  read(path: string): string | undefined {
    const node = this.node(path);
    if (node?.is === "device") return "";
    if (node?.is !== "file") return undefined;
    return typeof node.content === "function" ? node.content() : node.content;
  }

  /** Whether it could be written: the folder above has to exist. */
  write(path: string, content: string): boolean {
    const target = this.resolve(path);
    const existing = this.#nodes.get(target);
    if (existing?.is === "device") return true;
    if (existing?.is === "directory" || this.#nodes.get(posix.dirname(target))?.is !== "directory") return false;
    const kept = existing?.is === "file" ? existing : { mode: 0o644, owner: "medic" };
    this.#nodes.set(target, { is: "file", content, mode: kept.mode, owner: kept.owner, changedAt: this.#now() });
    return true;
  }

  /** Whether something was removed; a folder has to be empty. */
  remove(path: string): boolean {
    const target = this.#parentResolved(path);
    if (target === "/" || this.list(target).length > 0) return false;
    return this.#nodes.delete(target);
  }

  move(from: string, to: string): boolean {
    const source = this.#parentResolved(from);
    const node = this.#nodes.get(source);
    if (node === undefined) return false;
    this.#nodes.delete(source);
    this.#nodes.set(this.resolve(to), node);
    return true;
  }

  /** Names in a folder, sorted. */
  list(path: string): string[] {
    const folder = this.resolve(path);
    const prefix = folder === "/" ? "/" : `${folder}/`;
    const names: string[] = [];
    for (const known of this.#nodes.keys()) {
      if (known.startsWith(prefix) && known !== "/" && !known.slice(prefix.length).includes("/")) {
        names.push(known.slice(prefix.length));
      }
    }
    return names.sort();
  }

  sizeBytes(node: Node): number {
    if (node.is === "directory") return 4096;
    if (node.is !== "file") return 0;
    if (node.sizeBytes !== undefined) return node.sizeBytes;
    return Buffer.byteLength(typeof node.content === "function" ? node.content() : node.content);
  }

  #parentResolved(path: string): string {
    const normal = posix.normalize(path).replace(/(.)\/$/, "$1");
    return normal === "/" ? "/" : posix.join(this.resolve(posix.dirname(normal)), posix.basename(normal));
  }
}
