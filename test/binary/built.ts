// Binaries for this machine, made once for a test file into a folder of their own, and a way to run them as a person does:
// alone, in a folder that has nothing else.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

export type Edition = "node" | "deno";
export type Ran = { code: number | null; stdout: string; stderr: string };

export type Built = {
  folder: string;
  file(edition: Edition): string;
  /** An empty folder, which goes with the others. */
  emptyFolder(): string;
  remove(): void;
};

export function build(editions: readonly Edition[], target: string = process.arch): Built {
  const place = mkdtempSync(join(tmpdir(), "medic-binary-"));
  const folder = join(place, "dist");
  const tsx = join(root, "node_modules/tsx/dist/cli.mjs");
  const args = ["--target", target, "--edition", editions.join(","), "--out", folder];
  execFileSync("node", [tsx, "scripts/build/main.ts", ...args], { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  return {
    folder,
    file(edition) {
      const end = `linux-${target}${edition === "deno" ? "-deno" : ""}`;
      return join(folder, readdirSync(folder).find((name) => name.endsWith(end)) ?? end);
    },
    emptyFolder: () => mkdtempSync(join(place, "empty-")),
    remove: () => rmSync(place, { recursive: true, force: true }),
  };
}

/** The least that a program gets from a system: nothing of this shell's, and no Node or Deno on its path. */
export function bareEnvironment(folder: string): NodeJS.ProcessEnv {
  return { PATH: "/usr/bin:/bin", HOME: folder };
}

/** Runs it to its end. */
export async function run(program: readonly string[], folder: string, env = bareEnvironment(folder)): Promise<Ran> {
  const [command = "", ...args] = program;
  const child = spawn(command, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => void (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => void (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}
