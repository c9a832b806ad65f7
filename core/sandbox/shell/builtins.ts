// The commands that the shell runs itself, because they change or ask the shell: `set`, `read`, `exec`, `test`, … in
// dash's way (its `echo` knows backslashes).
import { posix } from "node:path";

import { formatPrintf, unescapeEcho } from "./printf.ts";
import { Break, Continue, Exit, Return } from "./control.ts";
import { test } from "./test.ts";
import type { Shell } from "./state.ts";

type Builtin = (shell: Shell, args: readonly string[]) => number | Promise<number>;

export const builtins: Readonly<Record<string, Builtin | undefined>> = Object.assign(
  Object.create(null) as Record<string, Builtin | undefined>,
  {
    ":": () => 0,
    true: () => 0,
    false: () => 1,
    echo,
    printf,
    test: (shell, args) => test(args, shell),
    "[": (shell, args) => (args.at(-1) === "]" ? test(args.slice(0, -1), shell) : complain(shell, "[: missing ]", 2)),
    cd,
    pwd: (shell) => (shell.output(1).write(`${shell.folder}\n`), 0),
    read,
    set,
    shift,
    exit: (shell, [status]) => {
      throw new Exit(status === undefined ? shell.lastExit : Number(status) & 255);
    },
    return: (shell, [status]) => {
      throw new Return(status === undefined ? shell.lastExit : Number(status) & 255);
    },
    break: (_shell, [levels]) => {
      throw new Break(Number(levels ?? 1));
    },
    continue: (_shell, [levels]) => {
      throw new Continue(Number(levels ?? 1));
    },
    export: (shell, args) => declare(shell, args, (name) => shell.exported.add(name)),
    readonly: (shell, args) => declare(shell, args, (name) => shell.readonlyNames.add(name)),
    local: (shell, args) => declare(shell, args, () => undefined),
    unset,
    eval: async (shell, args) => await shell.evaluate(args.join(" ")),
    exec: async (shell, [name = "", ...args]) => {
      throw new Exit(await shell.invoke(name, args, true));
    },
    command,
    type: (shell, names) => everyNamed(shell, names, (name, path) => `${name} is ${path}`),
    wait: async (shell) => (await Promise.all(shell.background), 0),
    trap: (shell, [text, ...signals]) => {
      if (signals.some((signal) => signal === "EXIT" || signal === "0"))
        shell.exitTrap = text === "-" ? undefined : text;
      return 0;
    },
    umask: () => 0,
  } satisfies Record<string, Builtin>,
);

function echo(shell: Shell, args: readonly string[]): number {
  const isBare = args[0] === "-n";
  const { text, stops } = unescapeEcho((isBare ? args.slice(1) : args).join(" "));
  shell.output(1).write(isBare || stops ? text : `${text}\n`);
  return 0;
}

function printf(shell: Shell, args: readonly string[]): number {
  const [format, ...values] = args[0] === "--" ? args.slice(1) : args;
  if (format === undefined) return complain(shell, "printf: usage: printf format [arg ...]", 2);
  const { text, problem } = formatPrintf(format, values);
  shell.output(1).write(text);
  return problem === undefined ? 0 : complain(shell, `printf: ${problem}`, 1);
}

function cd(shell: Shell, [to]: readonly string[]): number {
  const folder = posix.resolve(shell.folder, to ?? shell.variables.get("HOME") ?? "/");
  if (shell.context.files.node(folder)?.is !== "directory") return complain(shell, `cd: can't cd to ${to ?? ""}`, 2);
  shell.folder = folder;
  return 0;
}

function read(shell: Shell, args: readonly string[]): number {
  const isRaw = args.includes("-r");
  const names = args.filter((name) => !name.startsWith("-"));
  let line = shell.input().line();
  const ended = line === undefined || !line.endsWith("\n");
  line = (line ?? "").replace(/\n$/, "");
  if (!isRaw) {
    while (/(?:^|[^\\])(?:\\\\)*\\$/.test(line)) {
      line = line.slice(0, -1) + (shell.input().line() ?? "").replace(/\n$/, "");
    }
    line = line.replace(/\\([^])/g, "$1");
  }
  const separators = shell.variables.get("IFS") ?? " \t\n";
  const values = splitForRead(line, separators, names.length);
  for (const [index, name] of names.entries()) shell.assign(name, values[index] ?? "");
  return ended ? 1 : 0;
}

/** The last name takes what is left, without the spaces around it. */
function splitForRead(line: string, separators: string, count: number): string[] {
  const isSpace = (character: string) => separators.includes(character) && /\s/.test(character);
  let at = 0;
  const skipSpaces = () => {
    while (at < line.length && isSpace(line[at] ?? "")) at += 1;
  };
  const values: string[] = [];
  skipSpaces();
  while (values.length < count - 1 && at < line.length) {
    const from = at;
    while (at < line.length && !separators.includes(line[at] ?? "")) at += 1;
    values.push(line.slice(from, at));
    skipSpaces();
    if (at > from && at < line.length && separators.includes(line[at] ?? "")) at += 1;
    else if (at === from) at += 1;
    skipSpaces();
  }
  let rest = line.slice(at);
  while (rest !== "" && isSpace(rest.at(-1) ?? "")) rest = rest.slice(0, -1);
  const last = rest.at(-1) ?? "";
  if (
    last !== "" &&
    separators.includes(last) &&
    !rest
      .slice(0, -1)
      .split("")
      .some((one) => separators.includes(one))
  ) {
    rest = rest.slice(0, -1);
  }
  values.push(rest);
  return values;
}

function set(shell: Shell, args: readonly string[]): number {
  const rest = [...args];
  while (rest[0] !== undefined && /^[-+]./.test(rest[0]) && rest[0] !== "--") {
    const flag = rest.shift() ?? "";
    const names = flag.slice(1) === "o" ? [longOption(rest.shift() ?? "")] : flag.slice(1).split("");
    for (const name of names) {
      if (flag.startsWith("-")) shell.options.add(name);
      else shell.options.delete(name);
    }
  }
  if (rest[0] === "--" || rest.length > 0) shell.positional = rest[0] === "--" ? rest.slice(1) : rest;
  return 0;
}

function longOption(name: string): string {
  return { errexit: "e", nounset: "u", noclobber: "C", noglob: "f", xtrace: "x" }[name] ?? name;
}

function shift(shell: Shell, [count = "1"]: readonly string[]): number {
  if (Number(count) > shell.positional.length) return shell.fail("shift: can't shift that many");
  shell.positional = shell.positional.slice(Number(count));
  return 0;
}

function declare(shell: Shell, args: readonly string[], mark: (name: string) => unknown): number {
  for (const argument of args) {
    const found = /^([A-Za-z_]\w*)(?:=([^]*))?$/.exec(argument);
    if (found?.[1] === undefined) continue;
    if (found[2] !== undefined) shell.assign(found[1], found[2]);
    mark(found[1]);
  }
  return 0;
}

function unset(shell: Shell, args: readonly string[]): number {
  for (const name of args) {
    if (args[0] === "-f") shell.functions.delete(name);
    else shell.variables.delete(name);
  }
  return 0;
}

async function command(shell: Shell, args: readonly string[]): Promise<number> {
  if (args[0] === "-v" || args[0] === "-V") return everyNamed(shell, args.slice(1), (_name, path) => path);
  const [name, ...rest] = args[0] === "--" || args[0] === "-p" ? args.slice(1) : args;
  return name === undefined ? 0 : await shell.invoke(name, rest, true);
}

function everyNamed(shell: Shell, names: readonly string[], say: (name: string, path: string) => string): number {
  let exit = 0;
  for (const name of names) {
    const isOurs = shell.functions.has(name) || builtins[name] !== undefined;
    const path = isOurs
      ? name
      : shell.findProgram(name) === undefined
        ? undefined
        : name.includes("/")
          ? name
          : `/usr/bin/${name}`;
    if (path === undefined) exit = 127;
    else shell.output(1).write(`${say(name, path)}\n`);
  }
  return exit;
}

function complain(shell: Shell, message: string, exit: number): number {
  shell.output(2).write(`${shell.name}: ${shell.line}: ${message}\n`);
  return exit;
}
