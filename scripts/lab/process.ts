// Programs of this machine: run one to its end, start one that stays, end one by the id it was started with.
//
// A process that stays is remembered in a file as its id *and* its start time, so that a `down` long afterwards never
// ends a stranger that was given the same id since. Knows nothing of hosts or of what it runs.
import { spawn } from "node:child_process";
import { mkdirSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export type Output = { exit: number; stdout: string; stderr: string };

export type RunOptions = { stdin?: string | Buffer; env?: NodeJS.ProcessEnv; withinSeconds?: number };

/** Runs a program to its end. A non-zero exit is an answer; a program that cannot be started throws. */
export async function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<Output> {
  const [program, ...args] = argv;
  const withinSeconds = options.withinSeconds ?? 60;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env: options.env ?? process.env });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A program that ends without reading its input breaks the pipe; its exit tells the story better than EPIPE.
  child.stdin.on("error", () => {});
  child.stdin.end(options.stdin ?? "");
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, withinSeconds * 1000);
  const exit = await new Promise<number>((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`Cannot run "${program}": ${error.message}`)));
    child.on("close", (code) => resolve(code ?? 255));
  }).finally(() => clearTimeout(timer));
  if (late)
    throw new Error(`Cannot finish "${argv.join(" ")}": still running after ${withinSeconds} s, so it was killed`);
  return { exit, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

/** Runs a program that has to succeed and gives its standard output. */
export async function must(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const { exit, stdout, stderr } = await run(argv, options);
  if (exit === 0) return stdout;
  const tail = (stderr || stdout).trim().split("\n").slice(-8).join("\n");
  throw new Error(`Cannot run "${argv.join(" ")}": exit ${exit}: ${tail}`);
}

/** Starts a program that outlives this one and remembers it in `pidFile`. Its output is appended to `logFile`. */
export function startProcess(
  argv: readonly [string, ...string[]],
  files: { pidFile: string; logFile: string },
  env: NodeJS.ProcessEnv = process.env,
): number {
  mkdirSync(dirname(files.pidFile), { recursive: true });
  const [program, ...args] = argv;
  const log = openSync(files.logFile, "a");
  try {
    const child = spawn(program, args, { detached: true, stdio: ["ignore", log, log], env });
    // Without a listener a missing program would crash us; the missing pid below says it already.
    child.on("error", () => {});
    if (child.pid === undefined) throw new Error(`Cannot start "${program}": it is not installed or not executable`);
    rememberProcess(child.pid, files.pidFile);
    child.unref();
    return child.pid;
  } finally {
    closeSync(log);
  }
}

/** Writes down a process so that it can be found, and told from a later one with its id. */
export function rememberProcess(pid: number, pidFile: string): void {
  writeFileSync(pidFile, `${pid} ${startTicks(pid) ?? 0}\n`);
}

/** The id of the process remembered in `pidFile`, or undefined once it is gone. */
export function livingProcess(pidFile: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(pidFile, "utf8");
  } catch {
    return undefined;
  }
  const [pid = 0, ticks = 0] = text.trim().split(" ").map(Number);
  return pid > 1 && startTicks(pid) === ticks ? pid : undefined;
}

/** Ends the process remembered in `pidFile`: asks, waits, and kills if it stays. Gone already is well. */
export async function endProcess(pidFile: string, withinSeconds = 5): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const pid = livingProcess(pidFile);
    if (pid === undefined) break;
    signalProcess(pid, signal);
    await until(() => livingProcess(pidFile) === undefined, withinSeconds);
  }
  const stays = livingProcess(pidFile);
  if (stays !== undefined) throw new Error(`Cannot end process ${stays} of "${pidFile}": it survived SIGKILL`);
  rmSync(pidFile, { force: true });
}

/** Signals a process; one that is gone already is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The children of a process: their ids, with their programs' names. */
export function childrenOf(pid: number): { pid: number; name: string }[] {
  try {
    const ids = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return ids === ""
      ? []
      : ids.split(" ").map((id) => ({ pid: Number(id), name: readFileSync(`/proc/${id}/comm`, "utf8").trim() }));
  } catch {
    return [];
  }
}

/** Waits for a claim to become true; false when it did not in time. */
export async function until(claim: () => boolean | Promise<boolean>, withinSeconds: number): Promise<boolean> {
  const deadline = Date.now() + withinSeconds * 1000;
  while (!(await claim())) {
    if (Date.now() > deadline) return false;
    await pause(40);
  }
  return true;
}

/** When the kernel started the process, in its own ticks; undefined when there is none, or only its zombie. */
function startTicks(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The second field is a name in parentheses and may hold spaces: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? undefined : Number(fields[19]);
}
