// Starting and ending the processes of a benchmark. TypeScript files run in a plain Node where it strips types itself:
// a loader would be measured along.
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";

export function nodeArguments(file: string, ...args: readonly string[]): [string, string[]] {
  const loader = process.features.typescript ? [] : process.execArgv;
  return [process.execPath, [...loader, "--no-warnings", file, ...args]];
}

export function start([program, args]: [string, readonly string[]], options: SpawnOptions = {}): ChildProcess {
  // Out of the terminal's group: on ctrl-C the benchmark ends its processes itself, in order.
  return spawn(program, args, { stdio: ["pipe", "pipe", "inherit"], detached: true, ...options });
}

/** TERM, and KILL for what does not listen. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 3000);
  await gone;
  clearTimeout(timer);
}
