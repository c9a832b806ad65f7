// The runtimes that a binary is made of, as npm's packages bring them: from node_modules where the package is installed,
// else fetched with `npm pack` and held to the digest in package-lock.json. Nothing else is downloaded.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

export type Architecture = "x64" | "arm64";
export type RuntimeName = "node" | "deno";
export type Runtime = { name: RuntimeName; package: string; version: string; file: string };

type Lock = { packages: Record<string, { version: string; integrity?: string; license?: string }> };

/** What npm installed, or would. */
export function readLock(root: string): Lock {
  return JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Lock;
}

/** A runtime's file for an architecture; `cache` keeps what was fetched. */
export function runtimeFor(
  root: string,
  name: RuntimeName,
  architecture: Architecture,
  cache: string,
  say: (progress: string) => void,
): Runtime {
  const [packageName, path] = {
    node: [`node-linux-${architecture}`, "bin/node"],
    deno: [`@deno/linux-${architecture}-glibc`, "deno"],
  }[name] as [string, string];
  const locked = readLock(root).packages[`node_modules/${packageName}`];
  if (locked?.integrity === undefined) {
    throw new Error(`Cannot build for "${architecture}": package-lock.json has no "${packageName}" with a digest`);
  }
  const { version, integrity } = locked;
  const found = { name, package: packageName, version };
  const installed = join(root, "node_modules", packageName, path);
  if (existsSync(installed)) return { ...found, file: installed };
  const kept = join(cache, `${packageName.replace("/", "-")}-${version}`);
  const file = join(kept, "package", path);
  if (!existsSync(file)) {
    say(`fetching ${packageName} ${version}`);
    fetchPackage(`${packageName}@${version}`, integrity, kept);
  }
  return { ...found, file };
}

function fetchPackage(spec: string, integrity: string, into: string): void {
  const part = `${into}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  const told = execFileSync("npm", ["pack", spec, "--json", "--silent", "--pack-destination", part], {
    encoding: "utf8",
  });
  const [packed] = JSON.parse(told) as { filename: string }[];
  const archive = join(part, packed?.filename ?? "");
  const [algorithm = "", expected = ""] = integrity.split(/-(.*)/s);
  const got = createHash(algorithm).update(readFileSync(archive)).digest("base64");
  if (got !== expected) {
    rmSync(part, { recursive: true, force: true });
    throw new Error(`Cannot use "${spec}": its ${algorithm} is "${got}", package-lock.json has "${expected}"`);
  }
  execFileSync("tar", ["-xzf", archive, "-C", part]);
  rmSync(archive);
  renameSync(part, into);
}
