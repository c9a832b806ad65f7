// The sudoers lines a host needs for its plugins: each command in the two forms in which the transport sends it. Knows
// how a command is rendered under sudo, and nothing of what the commands do. Pure.

export type SudoersNeeds = {
  host: string;
  user: string;
  privilege: "none" | "sudo";
  /** The plugins' own patterns, as `/usr/bin/docker restart -t 30 *`. */
  patterns: readonly string[];
  /** The time limits of the host's diagnostics, in whole seconds. */
  timeLimits: readonly number[];
};

const timeoutProgram = "/usr/bin/timeout";

/** Command patterns as sudoers has them, sorted. */
export function sudoersCommands({ patterns, timeLimits }: Pick<SudoersNeeds, "patterns" | "timeLimits">): string[] {
  const limits = [...new Set(timeLimits)].toSorted((a, b) => a - b);
  return [...new Set(patterns)].toSorted().flatMap((pattern) => [
    pattern,
    // A diagnostic runs below `timeout`, which sudo starts in its place. The seconds are written out: a wildcard there
    // would match other words too, and with them any program.
    ...limits.map((seconds) => belowTimeout(pattern, seconds)),
  ]);
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
  const commands = sudoersCommands(needs);
  if (commands.length === 0) return ["", `# ${host}: its plugins run nothing as root.`];
  const hint = privilege === "sudo" ? "" : ` They count once hosts.${host}.privilege is sudo.`;
  return [
    "",
    `# ${host}:${hint}`,
    ...commands.map((command) => `${escapedUser(user)} ALL=(root) NOPASSWD: ${command}`),
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
