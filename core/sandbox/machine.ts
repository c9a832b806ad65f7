// Puts shell, programs and files together into one simulated host that runs a command line, as sshd would hand it to
// the user's shell. Nothing here starts a process of the real machine.
import type { Files } from "./files.ts";
import type { Context, Output, Program, Programs } from "./program.ts";
import { Input } from "./program.ts";
import { runShell } from "./shell/interpreter.ts";

export type Machine = {
  /** The exit status; rejects with the signal's reason when it is killed. */
  execute(commandLine: string, how: Execution): Promise<number>;
};

export type Execution = { user: string; stdout: Output; stderr: Output; signal: AbortSignal };

export type MachineParts = {
  files: Files;
  programs: Programs;
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
};

/** Builtins that are programs too, for `timeout 5 echo` and the like. */
const ALSO_PROGRAMS = ["echo", "printf", "test", "[", "true", "false", "pwd"];
const PROGRAM_FOLDERS = /^\/(?:usr\/(?:local\/)?)?s?bin\//;

export function createMachine(parts: MachineParts): Machine {
  const known = new Map<string, Program>(Object.entries(parts.programs));
  const find = (name: string): Program | undefined => {
    const plain = name.replace(PROGRAM_FOLDERS, "");
    return plain.includes("/") ? undefined : known.get(plain);
  };
  known.set("sh", shell);
  known.set("dash", shell);
  for (const name of ALSO_PROGRAMS) {
    known.set(name, async (args, context) => await runShell(`${name} "$@"`, ["sh", ...args], context, find));
  }

  async function shell(args: readonly string[], context: Context): Promise<number> {
    const [flag, text, ...positional] = args;
    if (flag !== undefined && /^-\w*c$/.test(flag)) {
      return await runShell(text ?? "", positional.length === 0 ? ["sh"] : positional, context, find);
    }
    return await runShell(context.stdin.rest(), ["sh", ...args], context, find);
  }

  function contextOf(how: Execution): Context {
    const environment = new Map([
      ["HOME", how.user === "root" ? "/root" : `/home/${how.user}`],
      ["PATH", "/usr/local/bin:/usr/bin:/bin:/usr/games"],
      ["USER", how.user],
      ["LOGNAME", how.user],
      ["SHELL", "/bin/sh"],
    ]);
    return withSpawn({
      stdin: new Input(),
      stdout: how.stdout,
      stderr: how.stderr,
      environment,
      user: how.user,
      folder: environment.get("HOME") ?? "/",
      files: parts.files,
      signal: how.signal,
      now: parts.now,
      sleep: parts.sleep,
    });
  }

  function withSpawn(context: Omit<Context, "spawn">): Context {
    return { ...context, spawn: async () => 127 };
  }

  function spawning(name: string, program: Program): Program {
    return async (args, context) =>
      await program(args, {
        ...context,
        spawn: async ([child = "", ...childArgs], changes = {}) => {
          const found = find(child);
          if (found !== undefined) return await found(childArgs, { ...context, ...changes });
          context.stderr.write(`${name}: failed to run command '${child}': No such file or directory\n`);
          return 127;
        },
      });
  }
  for (const [name, program] of known) known.set(name, spawning(name, program));

  return {
    execute: async (commandLine, how) => await runShell(commandLine, ["sh"], contextOf(how), find),
  };
}
