// What a diagnostic's command must not do: run without end, or change the host. Looks for what is known to; a list can
// never be whole, so it catches mistakes and replaces no review. Fixes have no such rule: they change, and are judged.
import type { Command } from "./contract.ts";
import { simpleCommands, type SimpleCommand } from "./shell-text.ts";

/** Commands that would never end: one sentence each. */
export function endlessProblems(command: Command): string[] {
  return commandsOf(command).flatMap(({ words }) => {
    const [program = "", ...rest] = words;
    const has = (...options: string[]): boolean => rest.some((word) => options.some((one) => isOption(word, one)));
    const verb = verbOf(rest);
    switch (program) {
      case "journalctl":
      case "tail":
        return has("-f", "-F", "--follow") ? ["follows a log (-f), so it never ends"] : [];
      case "docker":
      case "podman":
        if (verb === "logs" && has("-f", "--follow")) return ["follows a log (-f), so it never ends"];
        if (verb === "events" && !has("--until")) return [`reads ${program} events without --until`];
        if (verb === "stats" && !has("--no-stream")) return [`reads ${program} stats without --no-stream`];
        return verb === "attach" || verb === "wait" ? [`runs ${program} ${verb}, which may never end`] : [];
      case "ping":
      case "ping6":
        return has("-c") ? [] : ["pings without -c, so it never ends"];
      case "dmesg":
        return has("-w", "-W", "--follow") ? ["follows the kernel's log, so it never ends"] : [];
      case "top":
        return has("-n", "-bn1") ? [] : ["runs top without -n, so it never ends"];
      case "sleep":
        return Number(rest[0]) <= 60 ? [] : ["sleeps longer than 60 s, or nobody knows how long: use pause"];
      case "watch":
      case "yes":
      case "less":
      case "more":
      case "htop":
        return [`runs ${program}, which never ends by itself`];
      case "tcpdump":
        return has("-c") ? [] : ["runs tcpdump without -c, so it never ends"];
      default:
        return [];
    }
  });
}

/** Commands that are known to change a host: one sentence each. */
export function mutatingProblems(command: Command): string[] {
  return commandsOf(command).flatMap((one) => {
    const files = one.writes.filter((file) => file !== "/dev/null" && !/^&(\d|-)?$/.test(file));
    const why = changeOf(one);
    return [
      ...files.map((file) => `writes "${file}", and a diagnostic changes nothing`),
      ...(why === undefined ? [] : [`runs "${why}", and a diagnostic changes nothing`]),
    ];
  });
}

const changing = new Set(
  (
    "rm rmdir mv cp dd tee truncate chmod chown chgrp ln mkdir mktemp touch install shred kill killall pkill reboot " +
    "shutdown poweroff halt mount umount swapon swapoff useradd usermod userdel passwd adduser deluser systemd-run " +
    "systemctl-edit mkfs mkswap fdisk parted lvremove lvextend wipefs fstrim logrotate update-rc.d"
  ).split(" "),
);

const changingVerbs: Readonly<Record<string, RegExp>> = {
  docker:
    /^(start|stop|restart|kill|pause|unpause|rm|rmi|create|run|build|pull|push|prune|update|rename|cp|commit|load|import|tag|up|down|remove|connect|disconnect)$/,
  systemctl:
    /^(start|stop|restart|reload|try-restart|reload-or-restart|try-reload-or-restart|enable|disable|reenable|mask|unmask|kill|isolate|daemon-reload|daemon-reexec|reset-failed|set-property|set-default|edit|link|preset|revert|poweroff|reboot|halt|suspend|hibernate|clean|freeze|thaw)$/,
  service: /^(start|stop|restart|reload|force-reload)$/,
  apt: /^(install|remove|purge|upgrade|full-upgrade|update|autoremove|clean)$/,
  ip: /^(add|del|delete|set|flush|replace|change)$/,
  nft: /^(add|delete|flush|insert|replace|destroy)$/,
  zfs: /^(create|destroy|rollback|set|mount|unmount|snapshot|rename)$/,
  zpool: /^(create|destroy|add|remove|replace|scrub|clear|offline|online|import|export)$/,
  git: /^(pull|checkout|reset|commit|merge|clean|stash|push|fetch)$/,
};
const sameVerbs: Readonly<Record<string, string>> = { podman: "docker", "docker-compose": "docker", "apt-get": "apt" };

/** The change a command makes, in its own words; undefined when none is known. */
function changeOf({ words: [path = "", ...rest] }: SimpleCommand): string | undefined {
  const program = path.replace(/^.*\//, "");
  if (changing.has(program) || program.startsWith("mkfs.")) return program;
  const verb = rest.find((word) => changingVerbs[sameVerbs[program] ?? program]?.test(word));
  if (verb !== undefined && !rest.some((word) => /^(inspect|exec|top|logs)$/.test(word))) return `${program} ${verb}`;
  const option = changingOption(program, rest);
  if (option !== undefined) return `${program} ${option}`;
  // A program that runs another one: what stands behind it is a command of its own.
  const inner = innerCommand(program, rest);
  return inner === undefined ? undefined : changeOf({ words: inner, writes: [] });
}

function changingOption(program: string, rest: readonly string[]): string | undefined {
  const patterns: Readonly<Record<string, RegExp>> = {
    journalctl: /^--(vacuum-|rotate$|flush$|sync$|relinquish-var$|update-catalog$)/,
    sed: /^(-i|--in-place|-[nEr]+i)/,
    sysctl: /^(-w$|--write$|-p$|[\w.]+=)/,
    find: /^(-delete|-fprint)/,
    crontab: /^(-r|-e|-)$/,
    dpkg: /^(-i|-r|-P|--install|--remove|--purge|--configure)$/,
    date: /^(-s|--set)/,
    curl: /^(-d|-F|-T|-O|--data|--form|--upload-file|--remote-name|--json)/,
    nginx: /^-s/,
    iptables: /^-(A|D|I|R|F|X|P|N|Z)$/,
    timedatectl: /^set-/,
    hostnamectl: /^set-/,
    dmesg: /^(-c|-C|--clear|--read-clear)$/,
  };
  const found = rest.find((word) => patterns[program]?.test(word));
  if (found !== undefined) return found;
  const method = rest[rest.findIndex((word) => word === "-X" || word === "--request") + 1];
  return program === "curl" && /^(POST|PUT|PATCH|DELETE)$/.test(method ?? "") ? `-X ${method}` : undefined;
}

function innerCommand(program: string, rest: readonly string[]): string[] | undefined {
  if (program === "xargs" || program === "setsid") return rest.filter((word) => !word.startsWith("-"));
  if (program === "timeout") return rest.slice(rest.findIndex((word) => /^\d/.test(word)) + 1);
  const place = program === "find" ? rest.findIndex((word) => /^-(exec|ok)(dir)?$/.test(word)) : rest.indexOf("exec");
  if (place < 0 || !["find", "docker", "podman"].includes(program)) return undefined;
  const behind = rest.slice(place + 1);
  // Of `docker exec [options] NAME command`, what follows the name.
  return program === "find" ? behind : behind.slice(behind.findIndex((word) => !word.startsWith("-")) + 1);
}

/** The simple commands of an argument vector: of a script, those of its text. */
function commandsOf(command: Command): SimpleCommand[] {
  const argv = command[0] === "root" ? command.slice(1) : [...command];
  if (argv[0] !== "sh" || argv[1] !== "-c") return [{ words: argv, writes: [] }];
  // `"$1"` stands for the value that is given behind the text and the script's name.
  const values = argv.slice(3);
  const given = (word: string): string =>
    word.replace(/^\$\{?(\d)\}?$/, (whole, at: string) => values[Number(at)] ?? whole);
  return simpleCommands(argv[2] ?? "").map(({ words, writes }) => ({
    words: words.map(given),
    writes: writes.map(given),
  }));
}

function verbOf(words: readonly string[]): string | undefined {
  const groups = new Set(["container", "image", "system", "compose"]);
  return words.find((word) => !word.startsWith("-") && !groups.has(word));
}

/** `-f` also in `-nf`, `--until` also in `--until=0s`. */
function isOption(word: string, option: string): boolean {
  if (option.startsWith("--")) return word === option || word.startsWith(`${option}=`);
  return word === option || (/^-[a-zA-Z]+$/.test(word) && word.includes(option.slice(1)));
}
