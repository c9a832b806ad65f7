// Programs that start or stop others: `timeout`, `sudo`, `env`, `xargs`, `sleep`. They end exactly as the real ones
// do (137 after KILL, 124 after TERM), because Medic's transport judges by that.
import type { Context, Programs } from "../program.ts";
import { fail } from "../program.ts";
import { readOptions } from "./options.ts";

export const processPrograms: Programs = {
  sleep: async (args, context) => {
    const seconds = args.map(secondsOf).reduce((sum, one) => sum + one, 0);
    if (args.length === 0 || Number.isNaN(seconds))
      return fail(context, `sleep: invalid time interval '${args.join(" ")}'`);
    await context.sleep(seconds * 1000, context.signal);
    return 0;
  },

  timeout: async (args, context) => {
    const options = readOptions(args, ["s", "signal", "k", "kill-after"], true);
    const [duration = "", ...argv] = options.operands;
    const seconds = secondsOf(duration);
    if (Number.isNaN(seconds) || argv.length === 0)
      return fail(context, `timeout: invalid time interval '${duration}'`, 125);
    const isKill = /^(?:SIG)?KILL$|^9$/.test(options.value("s", "signal") ?? "");
    return await withDeadline(
      seconds,
      context,
      async (signal) => await context.spawn(argv, { signal }),
      isKill ? 137 : 124,
    );
  },

  sudo: async (args, context) => {
    const options = readOptions(args, ["u", "g"], true);
    if (options.operands.length > 0)
      return await context.spawn(options.operands, { user: options.value("u") ?? "root" });
    if (options.has("l")) {
      context.stdout.write(
        `User ${context.user} may run the following commands on this host:\n    (ALL) NOPASSWD: ALL\n`,
      );
      return 0;
    }
    return options.has("v") ? 0 : fail(context, "usage: sudo -n command");
  },

  env: async (args, context) => {
    const options = readOptions(args, ["u"], true);
    const command = options.operands.findIndex((operand) => !/^[A-Za-z_]\w*=/.test(operand));
    if (command !== -1) return await context.spawn(options.operands.slice(command));
    for (const [name, value] of context.environment) context.stdout.write(`${name}=${value}\n`);
    return 0;
  },

  nice: async (args, context) => await context.spawn(readOptions(args, ["n"], true).operands),
  ionice: async (args, context) => await context.spawn(readOptions(args, ["c", "n"], true).operands),
  nohup: async (args, context) => await context.spawn(args),
  setsid: async (args, context) => await context.spawn(readOptions(args, [], true).operands),
  stdbuf: async (args, context) => await context.spawn(readOptions(args, ["o", "e", "i"], true).operands),

  xargs: async (args, context) => {
    const options = readOptions(args, ["n", "I", "P", "d", "L"], true);
    const words = context.stdin
      .rest()
      .split(options.has("0") ? "\0" : /\s+/)
      .filter((word) => word !== "");
    if (words.length === 0 && options.has("r")) return 0;
    const argv = options.operands.length === 0 ? ["echo"] : options.operands;
    const size = options.value("I") === undefined ? Number(options.value("n") ?? words.length) : 1;
    let exit = 0;
    for (let at = 0; at < Math.max(words.length, 1); at += Math.max(size, 1)) {
      const batch = words.slice(at, at + Math.max(size, 1));
      const mark = options.value("I");
      const line = mark === undefined ? [...argv, ...batch] : argv.map((word) => word.replaceAll(mark, batch[0] ?? ""));
      if ((await context.spawn(line)) !== 0) exit = 123;
    }
    return exit;
  },
};

async function withDeadline(
  seconds: number,
  context: Context,
  body: (signal: AbortSignal) => Promise<number>,
  exitWhenLate: number,
): Promise<number> {
  const late = new AbortController();
  const done = new AbortController();
  const signal = AbortSignal.any([context.signal, late.signal]);
  if (seconds > 0) {
    context.sleep(seconds * 1000, AbortSignal.any([context.signal, done.signal])).then(
      () => late.abort(new Error("timed out")),
      () => undefined,
    );
  }
  try {
    return await body(signal);
  } catch (error) {
    if (late.signal.aborted && !context.signal.aborted) return exitWhenLate;
    throw error;
  } finally {
    done.abort();
  }
}

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

function secondsOf(text: string): number {
  const found = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text);
  if (found === null) return Number.NaN;
  return Number(found[1]) * (UNIT_SECONDS[found[2] ?? ""] ?? 1);
}
