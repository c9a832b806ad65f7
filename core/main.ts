#!/usr/bin/env node
// The front door: the only reader of the environment and of the process. Everything else gets what it needs from here.
import { homedir } from "node:os";
import process from "node:process";
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

process.exitCode = await runMedic(process.argv.slice(2), {
  env: process.env,
  home: homedir(),
  folder: process.cwd(),
  out: createOutput(process, process.env),
  stop: stop.signal,
});
