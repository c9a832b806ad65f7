// `test` and `[`: conditions on texts, numbers and files of the simulated host.
import { posix } from "node:path";

import type { Shell } from "./state.ts";

const UNARY = new Set("n z e f d r w x s L h S p b c t".split(" ").map((letter) => `-${letter}`));
const BINARY = new Set("= == != < > -eq -ne -lt -le -gt -ge -nt -ot -ef".split(" "));

class Problem extends Error {}

/** 0 when it holds, 1 when not, 2 after saying why it is no condition. */
export function test(args: readonly string[], shell: Shell): number {
  try {
    return evaluate(args, shell) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    shell.output(2).write(`${shell.name}: ${shell.line}: test: ${error.message}\n`);
    return 2;
  }
}

function evaluate(args: readonly string[], shell: Shell): boolean {
  const [first = "", second = "", third = ""] = args;
  // POSIX decides short forms by the number of arguments, so that `[ "$x" = "(" ]` means what it says.
  if (args.length === 0) return false;
  if (args.length === 1) return first !== "";
  if (args.length === 2 && first === "!") return second === "";
  if (args.length === 3 && BINARY.has(second)) return binary(first, second, third, shell);
  if (first === "!" && args.length <= 4) return !evaluate(args.slice(1), shell);
  let at = 0;
  const next = () => args[at++] ?? "";

  function either(): boolean {
    let value = both();
    while (args[at] === "-o") {
      at += 1;
      value = both() || value;
    }
    return value;
  }

  function both(): boolean {
    let value = one();
    while (args[at] === "-a") {
      at += 1;
      value = one() && value;
    }
    return value;
  }

  function one(): boolean {
    if (at >= args.length) throw new Problem("argument expected");
    const token = next();
    if (token === "!") return !one();
    if (token === "(" && args.includes(")", at)) {
      const value = either();
      if (next() !== ")") throw new Problem("closing paren expected");
      return value;
    }
    if (BINARY.has(args[at] ?? "") && at + 1 < args.length) return binary(token, next(), next(), shell);
    if (UNARY.has(token) && at < args.length) return unary(token, next(), shell);
    return token !== "";
  }

  const value = either();
  if (at < args.length) throw new Problem(`${args[at] ?? ""}: unexpected operator`);
  return value;
}

function unary(operator: string, operand: string, shell: Shell): boolean {
  if (operator === "-n") return operand !== "";
  if (operator === "-z") return operand === "";
  if (operator === "-t") return false;
  const { files } = shell.context;
  const path = posix.resolve(shell.folder, operand);
  const node = files.node(path, operator !== "-L" && operator !== "-h");
  if (node === undefined || operand === "") return false;
  switch (operator) {
    case "-f":
      return node.is === "file";
    case "-d":
      return node.is === "directory";
    case "-s":
      return files.sizeBytes(node) > 0;
    case "-L":
    case "-h":
      return node.is === "link";
    case "-c":
      return node.is === "device";
    case "-S":
    case "-p":
    case "-b":
      return false;
    case "-x":
      return node.is === "directory" || (node.is === "file" && (node.mode & 0o111) !== 0);
    case "-r":
    case "-w":
      return permitted(node, operator, shell);
    default:
      return true;
  }
}

function permitted(node: { is: string; mode?: number; owner?: string }, operator: string, shell: Shell): boolean {
  if (shell.context.user === "root" || node.mode === undefined) return true;
  const shift = node.owner === shell.context.user ? 6 : 0;
  return (node.mode & ((operator === "-r" ? 4 : 2) << shift)) !== 0;
}

function binary(left: string, operator: string, right: string, shell: Shell): boolean {
  switch (operator) {
    case "=":
    case "==":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case ">":
      return left > right;
    case "-nt":
    case "-ot":
    case "-ef": {
      const at = (path: string) => {
        const node = shell.context.files.node(posix.resolve(shell.folder, path));
        return node !== undefined && "changedAt" in node ? node.changedAt : 0;
      };
      return operator === "-ef" ? left === right : operator === "-nt" ? at(left) > at(right) : at(left) < at(right);
    }
    default:
      return compare(number(left), operator, number(right));
  }
}

function compare(left: number, operator: string, right: number): boolean {
  switch (operator) {
    case "-eq":
      return left === right;
    case "-ne":
      return left !== right;
    case "-lt":
      return left < right;
    case "-le":
      return left <= right;
    case "-gt":
      return left > right;
    default:
      return left >= right;
  }
}

function number(text: string): number {
  if (!/^\s*[-+]?\d+\s*$/.test(text)) throw new Problem(`Illegal number: ${text}`);
  return Number(text);
}
