// Programs that look at or change the simulated file tree: `ls`, `stat`, `mkdir`, `rm`, `readlink`, `find`, `du`, …
import { posix } from "node:path";

import type { Node } from "../files.ts";
import type { Context, Programs } from "../program.ts";
import { fail } from "../program.ts";
import { matchesPattern } from "../shell/pattern.ts";
import { readOptions } from "./options.ts";

export const filesystemPrograms: Programs = {
  ls: (args, context) => {
    const options = readOptions(args);
    const names = options.operands.length === 0 ? ["."] : options.operands;
    let exit = 0;
    for (const name of names) {
      const path = absolute(name, context);
      const node = context.files.node(path);
      if (node === undefined) {
        exit = fail(context, `ls: cannot access '${name}': No such file or directory`, 2);
        continue;
      }
      const isFolder = node.is === "directory" && !options.has("d");
      if (isFolder && names.length > 1) context.stdout.write(`${name}:\n`);
      const entries = isFolder
        ? context.files.list(path).filter((entry) => options.has("a", "A") || !entry.startsWith("."))
        : [name];
      for (const entry of entries) {
        const entryPath = isFolder ? posix.join(context.files.resolve(path), entry) : path;
        context.stdout.write(options.has("l") ? longLine(entry, entryPath, context) : `${entry}\n`);
      }
    }
    return exit;
  },

  stat: (args, context) => {
    const options = readOptions(args, ["c", "format", "printf"]);
    let exit = 0;
    for (const name of options.operands) {
      const path = absolute(name, context);
      const node = context.files.node(path, options.has("L"));
      if (node === undefined) {
        exit = fail(context, `stat: cannot statx '${name}': No such file or directory`);
        continue;
      }
      if (options.has("f")) {
        context.stdout.write(
          `${(options.value("c", "format") ?? "%T").replaceAll("%T", fileSystemOf(path)).replaceAll("%n", name)}\n`,
        );
        continue;
      }
      const format = options.value("c", "format") ?? options.value("printf") ?? "%n %s %F";
      const filled = filledStat(format, name, node, context);
      context.stdout.write(options.has("printf") ? filled.replaceAll("\\n", "\n") : `${filled}\n`);
    }
    return exit;
  },

  readlink: (args, context) => {
    const options = readOptions(args);
    const path = absolute(options.operands[0] ?? "", context);
    const node = context.files.node(path, false);
    if (options.has("f", "e", "m")) context.stdout.write(`${context.files.resolve(path)}\n`);
    else if (node?.is === "link") context.stdout.write(`${node.to}\n`);
    else return 1;
    return 0;
  },

  realpath: (args, context) => {
    const { operands } = readOptions(args);
    let exit = 0;
    for (const name of operands) {
      const path = absolute(name, context);
      if (context.files.node(path) === undefined) exit = fail(context, `realpath: ${name}: No such file or directory`);
      else context.stdout.write(`${context.files.resolve(path)}\n`);
    }
    return exit;
  },

  basename: ([name = "", suffix = ""], context) => (context.stdout.write(`${posix.basename(name, suffix)}\n`), 0),
  dirname: ([name = ""], context) => (context.stdout.write(`${posix.dirname(name)}\n`), 0),

  mkdir: (args, context) => {
    const options = readOptions(args, ["m"]);
    let exit = 0;
    for (const name of options.operands) {
      const path = absolute(name, context);
      const hasParent = context.files.node(posix.dirname(path))?.is === "directory";
      if (context.files.node(path) !== undefined && !options.has("p"))
        exit = fail(context, `mkdir: cannot create directory '${name}': File exists`);
      else if (!hasParent && !options.has("p"))
        exit = fail(context, `mkdir: cannot create directory '${name}': No such file or directory`);
      else context.files.addDirectory(context.files.resolve(path), { owner: context.user });
    }
    return exit;
  },

  rmdir: (args, context) => removeAll("rmdir", readOptions(args).operands, context, false, false),
  rm: (args, context) => {
    const options = readOptions(args);
    return removeAll("rm", options.operands, context, options.has("r", "R"), options.has("f"));
  },

  touch: (args, context) => {
    for (const name of readOptions(args).operands) {
      const path = absolute(name, context);
      context.files.write(path, context.files.read(path) ?? "");
    }
    return 0;
  },

  mv: (args, context) => {
    const [from = "", to = ""] = readOptions(args).operands;
    return context.files.move(absolute(from, context), absolute(to, context))
      ? 0
      : fail(context, `mv: cannot stat '${from}': No such file or directory`);
  },

  find: (args, context) => {
    const roots = args.slice(
      0,
      Math.max(
        args.findIndex((argument) => argument.startsWith("-")),
        0,
      ) || args.length,
    );
    const test = (flag: string) => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined);
    const depthMax = Number(test("-maxdepth") ?? Infinity);
    const depthMin = Number(test("-mindepth") ?? 0);
    const walk = (path: string, depth: number): void => {
      const node = context.files.node(absolute(path, context), false);
      if (node === undefined) return void fail(context, `find: '${path}': No such file or directory`);
      const type = node.is === "directory" ? "d" : node.is === "link" ? "l" : "f";
      const isMeant = (test("-type") ?? type) === type && matchesPattern(test("-name") ?? "*", posix.basename(path));
      if (isMeant && depth >= depthMin) context.stdout.write(`${path}\n`);
      if (node.is !== "directory" || depth >= depthMax) return;
      for (const name of context.files.list(absolute(path, context))) walk(posix.join(path, name), depth + 1);
    };
    for (const root of roots.length === 0 ? ["."] : roots) walk(root, 0);
    return 0;
  },

  du: (args, context) => {
    const options = readOptions(args, ["d", "max-depth", "B"]);
    for (const name of options.operands) {
      const bytes = sizeBelow(context.files.resolve(absolute(name, context)), context);
      context.stdout.write(`${options.has("b") ? bytes : Math.ceil(bytes / 1024)}\t${name}\n`);
    }
    return 0;
  },
};

function absolute(name: string, context: Context): string {
  return posix.resolve(context.folder, name);
}

function removeAll(
  program: string,
  names: readonly string[],
  context: Context,
  recursive: boolean,
  force: boolean,
): number {
  let exit = 0;
  for (const name of names) {
    const path = absolute(name, context);
    if (recursive)
      for (const inner of context.files.list(path)) removeAll(program, [posix.join(path, inner)], context, true, true);
    if (!context.files.remove(path) && !force) {
      const why = context.files.node(path) === undefined ? "No such file or directory" : "Directory not empty";
      exit = fail(context, `${program}: failed to remove '${name}': ${why}`);
    }
  }
  return exit;
}

function sizeBelow(path: string, context: Context): number {
  const node = context.files.node(path, false);
  if (node === undefined) return 0;
  const inside =
    node.is === "directory" ? context.files.list(path).map((name) => sizeBelow(posix.join(path, name), context)) : [];
  return inside.reduce((sum, bytes) => sum + bytes, context.files.sizeBytes(node));
}

function longLine(name: string, path: string, context: Context): string {
  const node = context.files.node(path, false);
  if (node === undefined) return `${name}\n`;
  if (node.is === "link") return `lrwxrwxrwx 1 root root 0 ${shortDate(0)} ${name} -> ${node.to}\n`;
  return `${modeText(node)} 1 ${node.owner} ${node.owner} ${context.files.sizeBytes(node)} ${shortDate(node.changedAt)} ${name}\n`;
}

function modeText(node: Exclude<Node, { is: "link" }>): string {
  const letters = "rwxrwxrwx".split("").map((letter, index) => ((node.mode >> (8 - index)) & 1 ? letter : "-"));
  return `${node.is === "directory" ? "d" : node.is === "device" ? "c" : "-"}${letters.join("")}`;
}

function shortDate(at: number): string {
  const date = new Date(at);
  return `${date.toLocaleString("en", { month: "short", timeZone: "UTC" })} ${String(date.getUTCDate()).padStart(2)} ${date.toISOString().slice(11, 16)}`;
}

/** The kind of file system a path lies on, in the words of `stat -f`. */
function fileSystemOf(path: string): string {
  if (path.startsWith("/proc")) return "proc";
  if (path.startsWith("/sys")) return "sysfs";
  return path.startsWith("/run") || path.startsWith("/dev") ? "tmpfs" : "ext2/ext3";
}

function filledStat(format: string, name: string, node: Node, context: Context): string {
  const kinds = {
    file: "regular file",
    directory: "directory",
    link: "symbolic link",
    device: "character special file",
  };
  const attributes = node.is === "link" ? { mode: 0o777, owner: "root", changedAt: 0 } : node;
  const id = attributes.owner === "root" ? "0" : "1000";
  const at = attributes.changedAt;
  const stamp = new Date(at).toISOString().replace("T", " ").replace("Z", "000000 +0000");
  const values: Record<string, string> = {
    n: name,
    s: String(context.files.sizeBytes(node)),
    F: kinds[node.is],
    a: attributes.mode.toString(8),
    A: node.is === "link" ? "lrwxrwxrwx" : modeText(node),
    U: attributes.owner,
    G: attributes.owner,
    u: id,
    g: id,
    Y: String(Math.floor(at / 1000)),
    X: String(Math.floor(at / 1000)),
    Z: String(Math.floor(at / 1000)),
    y: stamp,
    m: "/",
    T: "0",
    t: "0",
    d: "2049",
    i: "131073",
  };
  return format.replace(/%([a-zA-Z])/g, (whole, letter: string) => values[letter] ?? whole);
}
