// `medic serve` as a process of its own, on the runtime that runs the test, so that a test can end it with SIGKILL.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export type ServeProcess = AsyncDisposable & {
  pid: number;
  url: string;
  log(): string;
  /** SIGKILL, and waits for its end. */
  kill(): Promise<void>;
};

/** Starts it and waits until it listens. */
export async function startServeProcess(config: string): Promise<ServeProcess> {
  const script = fileURLToPath(import.meta.resolve("../../core/main.ts"));
  const runtime = "deno" in process.versions ? ["run", "--allow-all", "--no-check", "--quiet"] : [];
  const args = [...runtime, script, "serve", "--config", config];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => void (text += chunk));
  }
  const kill = (): Promise<void> => killed(child);
  for (let tries = 0; tries < 600 && child.exitCode === null; tries++) {
    const url = /medic_serving .*url=(\S+)/.exec(text)?.[1];
    if (url !== undefined) return { pid: child.pid ?? 0, url, log: () => text, kill, [Symbol.asyncDispose]: kill };
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  await kill();
  throw new Error(`Cannot start medic serve: it said "${text.slice(-2000)}"`);
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
