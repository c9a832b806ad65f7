#!/usr/bin/env node
// The front door: the only reader of the environment and of the process. Everything else gets what it needs from here.
import { homedir } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline/promises";
import { createOutput } from "./cli/context.ts";
import { runMedic } from "./cli/medic.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => stop.abort(new DOMException(`got ${signal}`, "AbortError")));
}
// A reader that went away (`medic incidents | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question, { signal: stop.signal });
  } finally {
    terminal.close();
  }
}

void runMedic(process.argv.slice(2), {
  env: process.env,
  home: homedir(),
  folder: process.cwd(),
  out: createOutput(process, process.env),
  ...(process.stdin.isTTY && process.stderr.isTTY ? { ask } : {}),
  onHangup(listener) {
    process.on("SIGHUP", listener);
    return () => void process.off("SIGHUP", listener);
  },
  stop: stop.signal,
}).then((code) => {
  process.exitCode = code;
  // Whoever was told to stop has stopped: what is open all the same, a connection that nobody answers, keeps no process.
  if (stop.signal.aborted) setTimeout(() => process.exit(), 500).unref();
});
