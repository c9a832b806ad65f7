// What host_inspect accepts, on a real host, watched by strace: generated from its own rules and from mutations of what
// must be refused, rendered as the product renders it. None opens anything for writing, removes or renames anything,
// signals anybody, speaks to anything beyond the host, or goes on by itself. As root, so that nothing is hidden by a
// permission.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import * as v from "valibot";
import { render } from "../../core/transport/quote.ts";
import { hostInspect } from "../../plugins/host/inspect.ts";
import { rules } from "../../plugins/host/inspect-rules.ts";
import { inHost } from "../../scripts/lab/lab.ts";
import { vectors } from "../plugins/inspect-vectors.ts";

const host = "vega";
const VECTORS = 360;
/** Of one script; a command in a host has a minute. */
const BATCH = 60;
const SECONDS_MAX = 10;
const FILES = [
  "/var/log/dpkg.log",
  "/var/log/lastlog",
  "/var/log",
  "/var/log/journal",
  "/var/log/apt/history.log",
  "/var/log/none",
];
const options = { folders: ["/var/log"] };

/** Sockets of the host itself that answer questions and change nothing by being asked for what the rules allow. */
const ASKED: readonly RegExp[] = [
  // glibc's name cache, and systemd's users.
  /^\/(?:var\/)?run\/nscd\/socket$/,
  /^\/run\/systemd\/userdb\//,
  // systemctl show and status; timedatectl status asks timedated over the bus, which starts it for a while.
  /^\/run\/systemd\/private$/,
  /^\/run\/dbus\/system_bus_socket$/,
  /^\/run\/systemd\/(?:journal\/)?io\.systemd\./,
];

const TRACED =
  "open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,rmdir,mknod,mknodat,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,truncate,ftruncate,fallocate,utimensat,setxattr,fsetxattr,removexattr,mount,umount2,kill,tkill,tgkill,pidfd_send_signal,connect,sendto,sendmsg,sendmmsg,bind,ptrace,reboot,sethostname,settimeofday,clock_settime,adjtimex,syslog,swapon,swapoff,init_module,finit_module,delete_module,bpf";

/** What a line of strace says was done that only reading does not do; undefined for what it does. */
function wrong(line: string): string | undefined {
  const [, name = "", args = ""] = /^\d+\s+(\w+)\((.*)$/.exec(line) ?? [];
  switch (name) {
    case "":
      return undefined;
    case "open":
    case "openat":
    case "openat2":
      return /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND/.test(args) && !/"\/dev\/(?:null|tty)"/.test(args)
        ? line
        : undefined;
    case "connect":
    case "sendto":
    case "sendmsg":
    case "sendmmsg":
    case "bind":
      return isNear(args) ? undefined : line;
    case "syslog":
      return /^(?:SYSLOG_ACTION_(?:READ_ALL|SIZE_BUFFER|SIZE_UNREAD)|3|9|10)\b/.test(args) ? undefined : line;
    case "adjtimex":
      return /modes=0[,}]/.test(args) ? undefined : line;
    default:
      return line;
  }
}

function isNear(args: string): boolean {
  const unix = /sun_path=@?"([^"]*)"/.exec(args)?.[1];
  if (unix !== undefined) return ASKED.some((socket) => socket.test(unix)) || args.includes("sun_path=@");
  const addresses = [...args.matchAll(/inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"/g)];
  return addresses.every(([, four, six]) => /^127\.|^0\.0\.0\.0$/.test(four ?? "") || /^::1?$/.test(six ?? ""));
}

/** Distinct vectors that the tool accepts, with the line that reaches the host. */
function accepted(): { vector: string; program: string; line: string }[] {
  const found = new Map<string, { vector: string; program: string; line: string }>();
  for (const vector of fc.sample(vectors(FILES), { numRuns: 6000, seed: 20_261_126 })) {
    const parsed = v.safeParse(hostInspect.input, vector);
    if (!parsed.success) continue;
    const command = hostInspect.command(parsed.output, options);
    // Seconds of waiting show nothing that one second does not.
    if ("refused" in command || (vector.program === "vmstat" && /[3-9]$/.test(vector.arguments.join(" ")))) continue;
    const line = render(command, { privilege: "none", killAfterSeconds: SECONDS_MAX });
    found.set(line, { vector: [vector.program, ...vector.arguments].join(" "), program: vector.program, line });
  }
  // The same share for each program, so that one with many flags does not take the place of the others.
  const byProgram = Object.values(Object.groupBy([...found.values()], ({ program }) => program));
  const chosen: { vector: string; program: string; line: string }[] = [];
  for (let round = 0; chosen.length < VECTORS && round < VECTORS; round++) {
    for (const list of byProgram) {
      const next = list?.[round];
      if (next !== undefined && chosen.length < VECTORS) chosen.push(next);
    }
  }
  return chosen;
}

describe("host_inspect under strace", { timeout: 240_000 }, () => {
  it("only reads, whatever it accepts", async () => {
    const chosen = accepted();
    assert.ok(chosen.length >= 300, `${chosen.length} vectors`);
    assert.deepEqual([...new Set(chosen.map(({ program }) => program))].toSorted(), Object.keys(rules).toSorted());
    const found: { vector: string | undefined; line: string }[] = [];
    const unending: (string | undefined)[] = [];
    let traces = 0;
    for (let first = 0; first < chosen.length; first += BATCH) {
      const batch = chosen.slice(first, first + BATCH);
      // One after the other: together they would only be slow at once.
      const { stdout, exit, stderr } = await inHost(host, ["sh", "-s"], watching(batch.map(({ line }) => line)));
      assert.equal(exit, 0, stderr);
      let vector: string | undefined;
      for (const line of stdout.split("\n")) {
        const [, place, status] = /^ended (\d+) (\d+)$/.exec(line) ?? [];
        if (status === "137") unending.push(batch[Number(place)]?.vector);
        const trace = /^trace (\d+)$/.exec(line)?.[1];
        if (trace !== undefined) {
          vector = batch[Number(trace)]?.vector;
          traces++;
        } else if (wrong(line) !== undefined) found.push({ vector, line });
      }
    }
    assert.equal(traces, chosen.length, "each was watched");
    assert.deepEqual(unending, [], "each ends by itself");
    assert.deepEqual(found.slice(0, 20), [], `${found.length} calls do more than read`);
  });

  it("would see a command that does more", async () => {
    const more = [
      "echo x >/tmp/medic-inspect-x",
      "rm -f /tmp/medic-inspect-x",
      "kill -0 1",
      // In a network of its own, so that nothing leaves: that it would is seen all the same.
      "unshare -n curl -s --noproxy '*' -m 1 http://203.0.113.1/",
    ];
    const script = more.map(
      (line) => `strace -f -qq -e signal=none -e trace=${TRACED} sh -c ${quoted(line)} 2>&1 >/dev/null; echo next`,
    );
    const { stdout } = await inHost(host, ["sh", "-s"], script.join("\n"));
    const parts = stdout.split("next\n").slice(0, more.length);
    for (const [at, part] of parts.entries()) {
      // Without -o and with one process strace names no pid.
      const lines = part
        .split("\n")
        .map((line) => (/^\[pid|^\d/.test(line) ? line.replace(/^\[pid +(\d+)\]/, "$1") : `1 ${line}`));
      assert.ok(
        lines.some((line) => wrong(line) !== undefined),
        more[at],
      );
    }
  });
});

/** A script that runs each line under strace, says how it ended, and then what was seen. */
function watching(lines: readonly string[]): string {
  const watched = lines.map((line, at) => {
    const traced = `strace -f -qq -s 200 -e signal=none -e trace=${TRACED} -o "$out/${at}" sh -c ${quoted(line)}`;
    return `${traced} >/dev/null 2>&1; echo "ended ${at} $?"`;
  });
  const shown = 'for file in "$out"/*; do echo "trace ${file##*/}"; cat "$file"; done';
  return ["out=$(mktemp -d)", ...watched, shown, 'rm -r "$out"'].join("\n");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
