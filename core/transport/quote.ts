// The only place where an argument vector becomes shell text. Knows the host's privilege and the host-side time limit;
// knows nothing of tools. What cannot be said faithfully is refused, never altered.
import type { Command, Result } from "../plugin/contract.ts";

export type Rendering = {
  privilege: "none" | "sudo";
  /** For what only reads: the host itself kills it after so long, even when the link is gone. Whole seconds, at least 1. */
  killAfterSeconds?: number;
  /**
   * For what may happen once at most: a path on the host, in a folder that is there. The command runs only if it makes a
   * folder of this name itself; see `claimRefusal`. The privilege is inside, so sudoers lines see the command alone.
   */
  claim?: string;
};

/** A command that has no faithful shell text. Nothing ran. */
export class CommandRefused extends Error {
  override readonly name = "CommandRefused";
  readonly dispatched = false;
}

// `mkdir` is the one thing that every sh can do at most once. The process id lets a later look see whether it still runs.
const claimText = [
  'mkdir "$1" 2>/dev/null || {',
  '[ -e "$1" ] && { echo "medic: the claim is taken" >&2; exit 75; };',
  'echo "medic: the claim cannot be made" >&2; exit 73; };',
  'echo $$ 2>/dev/null >"$1/pid"; shift; exec "$@"',
].join(" ");

/** Whether a claim kept a command from running: `taken` by another dispatch, or not to be `made` (disk full, folder gone). */
export function claimRefusal({ exit, stderr }: Result): "taken" | "not-made" | undefined {
  const said = stderr.trimEnd();
  if (exit === 75 && said.endsWith("medic: the claim is taken")) return "taken";
  return exit === 73 && said.endsWith("medic: the claim cannot be made") ? "not-made" : undefined;
}

// Linux refuses one argument above 128 KiB, and sshd hands the whole line to the shell as one.
const lineBytesMax = 120_000;

/**
 * One line (its quoted arguments may hold newlines) for the login shell of a host or for `/bin/sh -c`. Standard input
 * is closed by the line itself: an SSH end-of-file would make the channel deaf to signals in ssh2.
 */
export function render(command: Command, { privilege, killAfterSeconds, claim }: Rendering): string {
  const limit =
    killAfterSeconds === undefined ? [] : ["timeout", "-s", "KILL", String(Math.max(1, Math.ceil(killAfterSeconds)))];
  const sudo = privilege === "sudo" ? ["sudo", "-n"] : [];
  const words = isScript(command)
    ? [
        ...limit,
        "sh",
        "-c",
        `${rootFunction(privilege === "sudo" ? [...sudo, ...limit] : [])}\n${innerLimit(command[2], limit)}${command[2]}`,
        ...command.slice(3),
      ]
    : command[0] === "root"
      ? [...sudo, ...limit, ...command.slice(1)]
      : [...limit, ...command];
  if (command.length === 0 || (command[0] === "root" && command.length === 1)) {
    throw new CommandRefused(`Cannot run [${command.map((word) => `"${word}"`).join(", ")}]: it names no program`);
  }
  const claimed = claim === undefined ? words : ["sh", "-c", claimText, "medic", claim, ...words];
  // `exec` leaves no shell between sshd and the command, so a signal meets the command's own process group.
  const line = `exec ${claimed.map(quote).join(" ")} </dev/null`;
  if (Buffer.byteLength(line) > lineBytesMax) {
    throw new CommandRefused(
      `Cannot run "${command[0]}": its command line has ${Buffer.byteLength(line)} bytes, ${lineBytesMax} are the limit`,
    );
  }
  return line;
}

/** One word that any login shell (sh, bash, zsh, fish) reads back byte for byte. */
export function quote(word: string): string {
  if (word.includes("\0"))
    throw new CommandRefused(`Cannot pass ${JSON.stringify(word)}: an argument cannot hold a NUL`);
  if (!word.isWellFormed()) {
    throw new CommandRefused(`Cannot pass ${JSON.stringify(word)}: half of a surrogate pair has no UTF-8 form`);
  }
  if (/^[A-Za-z0-9_@%+:,./-]+$/.test(word)) return word;
  // Backslashes stand outside the quotes: fish reads `\'` inside them as an escape, and the quote would never end.
  return `'${word.replace(/['\\]/g, (special) => `'\\${special}'`)}'`;
}

function isScript(command: Command): boolean {
  return command[0] === "sh" && command[1] === "-c" && command.length > 2;
}

// Inside a script `root` is a function. Under sudo it has a `timeout` of its own, which runs as root: a KILL from outside
// ends only sudo. Without sudo a second `timeout` would leave the process group and miss the KILL.
function rootFunction(prefix: readonly string[]): string {
  return `root() { ${[...prefix, '"$@"'].join(" ")}; }`;
}

// A `timeout` in the script would make a process group of its own and miss the KILL that ends the script's. busybox's makes
// none, and has no such option.
function innerLimit(text: string | undefined, limit: readonly string[]): string {
  if (limit.length === 0 || text === undefined || !/\btimeout\b/.test(text)) return "";
  const inForeground = "command timeout --foreground";
  return `timeout() { if ${inForeground} 9 true 2>/dev/null; then ${inForeground} "$@"; else command timeout "$@"; fi; }\n`;
}
