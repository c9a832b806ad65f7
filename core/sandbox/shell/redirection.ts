// `<`, `>`, `>>`, `2>&1`, `<<EOF`: which input or output a number stands for while a command runs.
import { posix } from "node:path";

import type { Output } from "../program.ts";
import { Input } from "../program.ts";
import { expandText } from "./expansion.ts";
import type { Redirection, Redirections } from "./syntax.ts";
import type { Descriptors, Shell } from "./state.ts";

/** The descriptors with the changes, or undefined after saying why one cannot be made. */
export async function applyRedirections(redirections: Redirections, shell: Shell): Promise<Descriptors | undefined> {
  const changed = new Map(shell.descriptors);
  for (const redirection of redirections) {
    const opened = await open(redirection, changed, shell);
    if (typeof opened === "string") {
      shell.output(2).write(`${shell.name}: ${shell.line}: ${opened}\n`);
      return undefined;
    }
    if (opened === undefined) changed.delete(redirection.descriptor);
    else changed.set(redirection.descriptor, opened);
  }
  return changed;
}

/** An input or output; undefined to close; a text says what is wrong. */
async function open(
  redirection: Redirection,
  current: Descriptors,
  shell: Shell,
): Promise<Input | Output | string | undefined> {
  if (redirection.is === "here") return new Input(await expandText(redirection.body, shell.scope()));
  const target = await expandText(redirection.target, shell.scope());
  if (redirection.is === "duplicate") {
    if (target === "-") return undefined;
    return current.get(Number(target)) ?? `${target}: Bad file descriptor`;
  }
  const path = posix.resolve(shell.folder, target);
  const files = shell.context.files;
  const node = files.node(path);
  if (redirection.is === "read") {
    const content = files.read(path);
    return content === undefined
      ? `cannot open ${target}: ${node === undefined ? "No such file" : "Is a directory"}`
      : new Input(content);
  }
  if (node?.is === "device") return { write: () => undefined };
  if (node !== undefined && redirection.is === "write" && shell.options.has("C"))
    return `cannot create ${target}: File exists`;
  const before = redirection.is === "append" ? (files.read(path) ?? "") : "";
  if (!files.write(path, before)) {
    return `cannot create ${target}: ${node?.is === "directory" ? "Is a directory" : "Directory nonexistent"}`;
  }
  return { write: (text) => void files.write(path, (files.read(path) ?? "") + text) };
}
