// The sudoers lines a host needs for its plugins, each command in the form in which the transport sends it: what reads runs
// below `timeout`, what fixes runs as it is. Knows how a command is rendered under sudo, and nothing of what it does. Pure.
import type { SudoersPatterns } from "../../plugin/sudoers.ts";

export type SudoersNeeds = {
  host: string;
  user: string;
  privilege: "none" | "sudo";
  /** The plugins' own patterns, as `/usr/bin/docker restart -t 30 *`. */
  patterns: SudoersPatterns;
  /** The time limits of the host's diagnostics, in whole seconds. */
  timeLimits: readonly number[];
};

const timeoutProgram = "/usr/bin/timeout";

type Needed = Pick<SudoersNeeds, "patterns" | "timeLimits">;

/** Command patterns as sudoers has them, sorted. */
export function sudoersCommands(needed: Needed): string[] {
  return [...readCommands(needed), ...fixCommands(needed)];
}

/** Below `timeout`, which sudo starts in their place. The seconds are written out: a wildcard would match any program. */
function readCommands({ patterns, timeLimits }: Needed): string[] {
  const limits = [...new Set(timeLimits)].toSorted((a, b) => a - b);
  const reads = [...new Set(patterns.reads)].toSorted();
  return reads.flatMap((pattern) => limits.map((seconds) => belowTimeout(pattern, seconds)));
}

function fixCommands({ patterns }: Needed): string[] {
  return [...new Set(patterns.fixes)].toSorted();
}

/** A file for /etc/sudoers.d that `visudo -cf` accepts. */
export function sudoersFile(hosts: readonly SudoersNeeds[]): string {
  const head = [
    "# What Medic's plugins run as root, and nothing else. On each host:",
    "#   visudo -cf medic.sudoers && install -m 440 -o root -g root medic.sudoers /etc/sudoers.d/medic",
  ];
  return `${[...head, ...hosts.flatMap(hostLines)].join("\n")}\n`;
}

function hostLines(needs: SudoersNeeds): string[] {
  const { host, user, privilege } = needs;
  if (user === "root") return ["", `# ${host}: Medic logs in as root and needs none.`];
  const groups = [
    { what: "what only reads, ended by its time limit", commands: readCommands(needs) },
    { what: "what fixes change", commands: fixCommands(needs) },
  ].filter(({ commands }) => commands.length > 0);
  if (groups.length === 0) return ["", `# ${host}: its plugins run nothing as root.`];
  const hint = privilege === "sudo" ? "" : ` They count once hosts.${host}.privilege is sudo.`;
  return [
    "",
    `# ${host}:${hint}`,
    ...groups.flatMap(({ what, commands }) => [
      `# ${host}, ${what}:`,
      ...commands.map((command) => `${escapedUser(user)} ALL=(root) NOPASSWD: ${command}`),
    ]),
  ];
}

/** Which of the commands `sudo -n -l` does not list as usable without a password. */
export function missingIn(listing: string, commands: readonly string[]): string[] {
  const allowed = allowedBy(listing);
  return allowed.has("ALL") ? [] : commands.filter((command) => !allowed.has(plain(command)));
}

/** `(root) NOPASSWD: a, b, PASSWD: c` → a, b: a tag counts for what follows it in its line. */
function allowedBy(listing: string): ReadonlySet<string> {
  const allowed = new Set<string>();
  for (const line of listing.split("\n")) {
    let noPassword = false;
    for (const entry of line.split(/(?<!\\),\s+/)) {
      const [, tags = "", command = ""] = /^\s*(?:\([^)]*\)\s*)?((?:[A-Z_]+:\s*)*)(.*)$/.exec(entry) ?? [];
      if (/\bNOPASSWD:/.test(tags)) noPassword = true;
      else if (/\bPASSWD:/.test(tags)) noPassword = false;
      if (noPassword) allowed.add(plain(command));
    }
  }
  return allowed;
}

/** The program that most of a plugin's commands are of; undefined when it has none. */
export function mainProgram(patterns: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const program of patterns.map(programOf)) counts.set(program, (counts.get(program) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a)[0]?.[0];
}

/** The program that does the work: of what runs below `timeout`, the one behind it. */
export function workerOf(command: string): string {
  const behind = /\/timeout \^?-s KILL \d+ (\S+)/.exec(command)?.[1];
  return behind?.replaceAll("\\", "") ?? programOf(command);
}

/** `/usr/bin/docker ps` → `docker`. */
export function programOf(command: string): string {
  return pathOf(command).split("/").at(-1) ?? "";
}

/** `/usr/bin/docker ps` → `/usr/bin/docker`. */
export function pathOf(command: string): string {
  return command.split(" ", 1)[0] ?? "";
}

// sudo's listing escapes and spaces as it likes.
function plain(text: string): string {
  return text.replaceAll("\\", "").replace(/\s+/g, " ").trim();
}

function belowTimeout(pattern: string, seconds: number): string {
  const words = `-s KILL ${seconds} ${programOf(pattern)}`;
  const rest = pattern.slice(pathOf(pattern).length + 1);
  // Arguments may be one regular expression (sudo 1.9.10), and then it has to cover all of them.
  if (rest.startsWith("^")) return `${timeoutProgram} ^${words.replaceAll(".", "\\.")} ${rest.slice(1)}`;
  return `${timeoutProgram} ${words}${rest === "" ? "" : ` ${rest}`}`;
}

function escapedUser(user: string): string {
  return user.replace(/[\\@]/g, "\\$&");
}
