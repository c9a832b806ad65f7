// What the host sees of the network: who has a port, what a name means there, whether another machine answers.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import * as v from "valibot";
import { brokenOff } from "./answers.ts";
import { address, hostName, port } from "./inputs.ts";

/** Tools such as ss lie in sbin on older systems, which a plain user's PATH lacks. */
const path = `PATH="$PATH:/usr/sbin:/sbin"`;

/**
 * The arguments are constant, so that one exact line in sudoers is enough; the port is picked here. Where root is not
 * allowed, a plain user still sees the ports, only not whose they are.
 */
const LISTENERS = "ss -H -l -t -u -n -p";

export const hostPortOwner = diagnostic({
  name: "host_port_owner",
  description: "Whether a port is free on the host, and which processes listen on it (TCP and UDP).",
  input: v.strictObject({ port }),
  command: () =>
    script(`${path}
echo "--medic:sockets"
if command -v ss >/dev/null; then
  if root ${LISTENERS} 2>/dev/null || ${LISTENERS}; then echo "--medic:end"; fi
elif root netstat -l -t -u -n -p 2>/dev/null || netstat -l -t -u -n; then
  echo "--medic:end"
fi`),
  parse(result, input) {
    const said = sections(result.stdout);
    // Without either marker nobody looked, or not at all of it, and an empty list would be read as "free".
    if (said["end"] === undefined || said["sockets"] === undefined) return brokenOff(result);
    const all = said["sockets"].split("\n").flatMap((line) => [...socketOfSs(line), ...socketOfNetstat(line)]);
    const owners = all
      .filter((socket) => socket.port === input.port)
      .map(({ protocol, address: at, processes }) => ({ protocol, address: at, processes }));
    const hidden = owners.some(({ processes }) => processes.length === 0);
    return {
      port: input.port,
      free: owners.length === 0,
      owners,
      ...(hidden
        ? {
            note: "a process is not shown: it belongs to another user (privilege: sudo would show it) or to the kernel",
          }
        : {}),
    };
  },
});

type Socket = { protocol: string; address: string; port: number; processes: { name: string; pid: number }[] };

function socketOfSs(line: string): Socket[] {
  const [protocol = "", , , , local = "", , ...rest] = line.trim().split(/\s+/);
  const at = local.lastIndexOf(":");
  if (at < 0 || !/^(?:tcp|udp)$/.test(protocol)) return [];
  const users = rest.join(" ").matchAll(/\("([^"]{1,64})",pid=(\d+)/g);
  const processes = [...users].map(([, name = "", pid]) => ({ name, pid: Number(pid) }));
  return [{ protocol, address: local.slice(0, at), port: Number(local.slice(at + 1)), processes: unique(processes) }];
}

function socketOfNetstat(line: string): Socket[] {
  const row = /^(tcp|udp)6?\s+\d+\s+\d+\s+(\S+):(\d+)\s+\S+\s+(?:LISTEN\s+)?(?:(\d+)\/(\S.*)|-)?\s*$/.exec(
    line.trimEnd(),
  );
  if (row === null) return [];
  const [, protocol = "", local = "", number, pid, name] = row;
  const processes = pid === undefined ? [] : [{ name: (name ?? "").trim(), pid: Number(pid) }];
  return [{ protocol, address: local, port: Number(number), processes }];
}

function unique(processes: Socket["processes"]): Socket["processes"] {
  return [...new Map(processes.map((process) => [process.pid, process])).values()];
}

export const hostDns = diagnostic({
  name: "host_dns",
  description: "What a name resolves to on the host, by its own resolver, and which name servers it asks.",
  input: v.strictObject({ name: hostName }),
  command: ({ name }) =>
    script(
      `echo "--medic:resolver"
cat /etc/resolv.conf
echo "--medic:addresses"
timeout 8 getent ahosts "$1"
code=$?
echo "--medic:exit"
echo "$code"`,
      name,
    ),
  parse(result, { name }) {
    const said = sections(result.stdout);
    const exit = said["exit"];
    if (said["addresses"] === undefined) return brokenOff(result);
    const lines = said["addresses"].split("\n");
    const addresses = [...new Set(lines.flatMap((line) => /^([0-9a-fA-F.:%]\S*)\s/.exec(line)?.[1] ?? []))];
    // getent's 2 is "no such name"; 124 is `timeout`'s own.
    if (exit === undefined || !["0", "2", "124", "143"].includes(exit)) return unavailable(result);
    const nameServers = [...(said["resolver"] ?? "").matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? "");
    const why = exit === "0" ? {} : { why: exit === "2" ? "no such name" : "no answer within 8 s" };
    return { name, resolves: addresses.length > 0, addresses, nameServers, ...why };
  },
});

export const hostReach = diagnostic({
  name: "host_reach",
  description: "Whether another machine answers when asked from this host: ping, and a TCP port if one is given.",
  input: v.strictObject({ address, port: v.optional(port) }),
  timeoutSeconds: 20,
  command: (input) =>
    script(
      `${path}
echo "--medic:ping"
ping -c 2 -W 2 "$1" 2>&1
code=$?
echo "--medic:ping-exit"
echo "$code"
if [ -n "$2" ]; then
  echo "--medic:connect"
  if command -v nc >/dev/null; then
    timeout 5 nc -z -w 4 "$1" "$2" 2>&1
  else
    curl -s -S -q -o /dev/null --noproxy "*" --connect-timeout 4 --max-time 5 -w "connected after %{time_connect}" "telnet://$1:$2" </dev/null 2>&1
  fi
  code=$?
  echo "--medic:connect-exit"
  echo "$code"
fi
echo "--medic:end"`,
      input.address,
      input.port === undefined ? "" : String(input.port),
    ),
  parse(result, input) {
    const said = sections(result.stdout);
    if (said["end"] === undefined) return unavailable(result);
    const ping = pingOf(said["ping"] ?? "", said["ping-exit"]);
    if (input.port === undefined) return { address: input.address, ping };
    return {
      address: input.address,
      ping,
      port: input.port,
      connect: connectOf(said["connect"] ?? "", said["connect-exit"]),
    };
  },
});

type Reached = { answers: boolean; why?: string; milliseconds?: number } | { unknown: string };

function pingOf(text: string, exit: string | undefined): Reached {
  if (exit === "0") {
    const average = /= [\d.]+\/([\d.]+)\//.exec(text)?.[1];
    return average === undefined ? { answers: true } : { answers: true, milliseconds: Number(average) };
  }
  if (/100% packet loss/.test(text)) return { answers: false, why: "no answer to two pings" };
  if (/Name or service not known|bad address|Temporary failure in name resolution/.test(text)) {
    return { answers: false, why: "its name does not resolve here" };
  }
  // No ping on this host, or no right to send one, says nothing about the other machine.
  return { unknown: lastLine(text) };
}

function connectOf(text: string, exit: string | undefined): Reached {
  const connected = /connected after ([\d.]+)/.exec(text)?.[1];
  if (exit === "0" || Number(connected ?? 0) > 0) return { answers: true };
  if (/refused/i.test(text)) return { answers: false, why: "refused: the machine is there, nothing listens" };
  if (/couldn't connect/i.test(text)) return { answers: false, why: "no connection: refused, or no way there" };
  if (exit === "124" || exit === "143" || exit === "28" || /timed out/i.test(text))
    return { answers: false, why: "no answer within 4 s" };
  if (/not found|invalid option|unrecognized option|usage|No such file/i.test(text))
    return { unknown: firstLine(text) };
  return { answers: false, why: text === "" ? "no connection" : lastLine(text) };
}

/** What a program says about its own flags begins with the complaint and ends with its help. */
function firstLine(text: string): string {
  return (text.trim().split("\n")[0] ?? "").slice(0, 200);
}

function lastLine(text: string): string {
  return (text.trim().split("\n").at(-1) ?? "").slice(0, 200);
}
