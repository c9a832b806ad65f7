// What host_inspect may run: programs that only read, each with the flags and operands it may have. A list of what is
// allowed, never of what is forbidden: `dmesg -C` clears, `hostname x` renames, `date -s` sets, `ss -K` kills. Each program
// is run under strace in test/lab/inspect.test.ts; what cannot be seen there is not on the list.

export type Rule = {
  /** Shown to whoever asked for something else. */
  usage: string;
  /** Single letters, alone or bundled: "-ltn". */
  letters?: string;
  /** Flags written out, exactly so. */
  words?: readonly string[];
  /** Flags that take a value, and which. */
  values?: Readonly<Record<string, RegExp>>;
  /** Whether these operands are allowed; joined by one blank. */
  operands?: RegExp;
  /** The last operand is a file below one of the owner's folders. */
  file?: true;
  /** Always passed, in front of everything. */
  always?: readonly string[];
  /** Passed unless one of these flags was given. */
  unless?: readonly [flags: readonly string[], added: readonly string[]];
};

const none = /^$/;
const number = /^[1-9]\d{0,2}$/;
const unit = String.raw`[a-zA-Z0-9][a-zA-Z0-9:_.@-]*\.[a-z]+`;
const name = String.raw`[a-zA-Z0-9][\w.:-]{0,99}`;
const self = String.raw`(?:localhost|127\.0\.0\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)|\[::1\])`;

export const rules: Readonly<Record<string, Rule>> = {
  cat: { usage: "cat FILE", file: true },
  curl: {
    usage: "curl [-I] http(s)://localhost[:PORT]/PATH",
    letters: "sSkiI",
    operands: new RegExp(String.raw`^https?://${self}(?::\d{1,5})?(?:/[\w.~/%?&=+:,@-]*)?$`),
    // GET to the host itself: no .curlrc, no proxy, no redirect away from it, no globs.
    always: ["-q", "-g", "-s", "-S", "-k", "--noproxy", "*", "--max-redirs", "0", "--max-time", "10"],
  },
  date: { usage: "date [-u]", letters: "u", operands: none },
  df: { usage: "df [-hPkiTl] [MOUNT]", letters: "hPkiTl", operands: /^(?:\/[\w.@+/-]*)?$/ },
  dmesg: { usage: "dmesg [-T] [-l LEVEL,…]", letters: "Tx", values: { "-l": /^[a-z,]{1,60}$/ }, operands: none },
  du: { usage: "du [-skhx] [-d DEPTH] FOLDER", letters: "skhx", values: { "-d": /^[0-3]$/ }, file: true },
  findmnt: { usage: "findmnt [-l]", letters: "l", operands: none },
  free: { usage: "free [-mhbw]", letters: "mhbw", operands: none },
  getent: {
    usage: "getent passwd|group|services|protocols [KEY], or getent hosts|networks",
    // Never shadow or gshadow: they hold the passwords. No name to look up: it would leave the host, and names can carry
    // what was read. host_dns asks for names.
    operands: new RegExp(`^(?:(?:passwd|group|services|protocols)(?: ${name})?|hosts|networks)$`),
  },
  head: { usage: "head [-n LINES] FILE", values: { "-n": number }, file: true },
  hostname: { usage: "hostname [-I]", words: ["-I"], operands: none },
  id: { usage: "id [USER]", letters: "un", operands: new RegExp(`^(?:${name})?$`) },
  ip: {
    usage: "ip [-br] [-s] [-4|-6] addr|link|route|neigh|rule [show [dev NAME]]",
    words: ["-br", "-s", "-4", "-6", "-o"],
    operands: new RegExp(`^(?:addr|link|route|neigh|rule)(?: show(?: (?:dev )?${name})?)?$`),
  },
  journalctl: {
    usage:
      "journalctl [-u UNIT] [-k] [-b] [-p PRIORITY] [-t TAG] [-n LINES] [--since 2h] [--disk-usage] [--list-boots]",
    letters: "kb",
    words: ["--no-pager", "--disk-usage", "--list-boots"],
    values: {
      "-u": new RegExp(`^${unit}$`),
      "-n": number,
      "-p": /^(?:[0-7]|emerg|alert|crit|err|warning|notice|info|debug)$/,
      "-t": new RegExp(`^${name}$`),
      "-o": /^(?:short|short-iso|cat)$/,
      "--since": /^[1-9]\d{0,3}[smhd]$/,
    },
    operands: none,
    // Newest first: with --since, journalctl's -n means the oldest lines. host_inspect turns them around.
    always: ["--no-pager", "-r"],
    unless: [
      ["-n", "--disk-usage", "--list-boots"],
      ["-n", "200"],
    ],
  },
  ls: { usage: "ls [-lahtSdni1A] FILE", letters: "lahtSdni1A", file: true },
  lsblk: { usage: "lsblk [-f]", words: ["-f"], operands: none },
  lscpu: { usage: "lscpu", operands: none },
  mount: { usage: "mount", operands: none },
  nproc: { usage: "nproc", operands: none },
  ps: {
    usage: "ps [-eAL] [-o COLUMNS] [--sort KEY] [-p PID], or ps aux",
    letters: "eAL",
    // No "e" as BSD means it: that one shows every process's environment.
    values: { "-o": /^[a-z,]{1,100}$/, "--sort": /^[+-]?[a-z]{1,20}$/, "-p": /^[1-9]\d{0,8}$/ },
    operands: /^(?:aux)?$/,
  },
  ss: { usage: "ss [-tulnapxsemioH46]", letters: "tulnapxsemioH46", operands: none },
  stat: { usage: "stat FILE", file: true },
  systemctl: {
    usage: "systemctl status|is-active|is-enabled|is-failed UNIT, or systemctl list-units|list-timers|list-sockets",
    words: ["--failed", "--all", "--plain", "--no-legend", "--no-pager"],
    operands: new RegExp(`^(?:(?:status|is-active|is-enabled|is-failed) ${unit}|list-units|list-timers|list-sockets)$`),
    always: ["--no-pager"],
  },
  tail: { usage: "tail [-n LINES] FILE", values: { "-n": number }, file: true },
  timedatectl: { usage: "timedatectl status|show", operands: /^(?:status|show)$/ },
  uname: { usage: "uname [-asrm]", letters: "asrm", operands: none },
  uptime: { usage: "uptime", operands: none },
  vmstat: { usage: "vmstat [1 COUNT]", operands: /^(?:1 [1-5])?$/ },
  who: { usage: "who [-b]", letters: "b", operands: none },
};

/** A request that fits its rule: its arguments, and its file. */
export type Fitting = { arguments: readonly string[]; file?: string };

/** The arguments as they are to be run, or why they are not allowed. */
export function fit(program: string, written: readonly string[]): Fitting | { not: string } {
  const rule = Object.hasOwn(rules, program) ? rules[program] : undefined;
  if (rule === undefined) {
    const all = Object.keys(rules);
    const close = all.find((known) => known.startsWith(program.slice(0, 2)));
    const hint = close === undefined ? "" : `; nearest: ${rules[close]?.usage}`;
    return { not: `"${program}" is not one of the programs that may be run: ${all.join(", ")}${hint}` };
  }
  const no = (why: string): { not: string } => ({ not: `${why} is not allowed here: ${rule.usage}` });
  const flags: string[] = [];
  const operands: string[] = [];
  const rest = [...written];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const [flag = "", attached] = argument.startsWith("--") ? argument.split(/=(.*)/s, 2) : [argument];
    const pattern = rule.values !== undefined && Object.hasOwn(rule.values, flag) ? rule.values[flag] : undefined;
    if (pattern !== undefined) {
      const value = attached ?? rest.shift() ?? "";
      if (!pattern.test(value)) return no(`"${program} ${flag}" with ${JSON.stringify(value)}`);
      flags.push(...valueOf(flag, value));
    } else if (rule.words?.includes(argument) === true || isBundle(argument, rule.letters ?? "")) {
      flags.push(argument);
    } else if (argument.startsWith("-") || argument === "") {
      return no(`"${program} ${argument}"`);
    } else {
      operands.push(argument);
    }
  }
  const [unlessFlags = [], added = []] = rule.unless ?? [];
  if (!flags.some((flag) => unlessFlags.includes(flag))) flags.push(...added);
  const given = [...(rule.always ?? []), ...flags];
  if (rule.file === true) {
    const [file, ...more] = operands;
    return file === undefined || more.length > 0
      ? no(`"${program}" with ${operands.length} files`)
      : { arguments: given, file };
  }
  if (rule.operands?.test(operands.join(" ")) !== true) return no(`"${[program, ...operands].join(" ")}"`);
  return { arguments: [...given, ...operands] };
}

function isBundle(argument: string, letters: string): boolean {
  return letters !== "" && new RegExp(`^-[${letters}]+$`).test(argument);
}

/** journalctl knows "2h ago", not "2h". */
function valueOf(flag: string, value: string): string[] {
  return flag === "--since" ? [`--since=${value} ago`] : [flag, value];
}
