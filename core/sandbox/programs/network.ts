// Programs about the network of the simulated host: `ss`, `ip`, `getent`, `curl` and `wget` to the host itself. Nothing
// here opens a socket: an address outside is unreachable, as on a host without internet.
import type { HostFacts, WebAnswer } from "../facts.ts";
import type { Context, Programs } from "../program.ts";
import { fail } from "../program.ts";
import { readOptions } from "./options.ts";

/** The programs, on a host of which these things are true. */
export function networkPrograms(facts: HostFacts): Programs {
  return {
    ss: (args, context) => ss(args, context, facts),
    curl: async (args, context) => await curl(args, context, facts),
    wget: async (args, context) => await wget(args, context, facts),

    getent: (args, context) => {
      const [database = "", ...keys] = readOptions(args, ["s"]).operands;
      if (database === "passwd" || database === "group" || database === "services") {
        const lines = (context.files.read(`/etc/${database}`) ?? "").split("\n").filter((line) => line !== "");
        const found = keys.length === 0 ? lines : lines.filter((line) => keys.includes(line.split(/[:\s]/)[0] ?? ""));
        context.stdout.write(found.map((line) => `${line}\n`).join(""));
        return found.length === 0 ? 2 : 0;
      }
      if (!/^a?hosts(?:v4|v6)?$/.test(database)) return fail(context, `Unknown database: ${database}`, 1);
      let exit = 0;
      for (const name of keys) {
        const address = resolve(name, facts);
        if (address === undefined) exit = 2;
        else if (database === "hosts") context.stdout.write(`${address.padEnd(15)} ${name}\n`);
        else
          context.stdout.write(
            ["STREAM", "DGRAM", "RAW"]
              .map((kind, index) => `${address.padEnd(15)} ${kind}${index === 0 ? ` ${name}` : ""}\n`)
              .join(""),
          );
      }
      return exit;
    },

    ip: (args, context) => {
      const isBrief = args.some((flag) => flag.startsWith("-br"));
      const about = readOptions(args).operands.find((word) => word !== "show");
      if (about?.startsWith("r") === true) {
        context.stdout.write(
          `default via ${gateway(facts)} dev eth0 proto static\n172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1\n`,
        );
        return 0;
      }
      const interfaces = [
        { name: "lo", state: "UNKNOWN", address: "127.0.0.1/8" },
        { name: "eth0", state: "UP", address: `${facts.address}/24` },
        { name: "docker0", state: "UP", address: "172.17.0.1/16" },
      ];
      for (const [index, { name, state, address }] of interfaces.entries()) {
        if (isBrief) context.stdout.write(`${name.padEnd(16)} ${state.padEnd(14)} ${address}\n`);
        else
          context.stdout.write(
            `${index + 1}: ${name}: <UP,LOWER_UP> mtu 1500 state ${state}\n    inet ${address} scope global ${name}\n`,
          );
      }
      return 0;
    },

    ping: async (args, context) => {
      const options = readOptions(args, ["c", "W", "w", "i", "I", "s"]);
      const name = options.operands[0] ?? "";
      const address = resolve(name, facts);
      if (address === undefined) return fail(context, `ping: ${name}: Temporary failure in name resolution`, 2);
      const answers = isOwn(address, facts) || address === gateway(facts);
      await context.sleep(20, context.signal);
      context.stdout.write(`PING ${name} (${address}) 56(84) bytes of data.\n`);
      if (answers) context.stdout.write(`64 bytes from ${address}: icmp_seq=1 ttl=64 time=0.041 ms\n`);
      context.stdout.write(
        `\n--- ${name} ping statistics ---\n1 packets transmitted, ${answers ? 1 : 0} received, ${answers ? 0 : 100}% packet loss, time 0ms\n`,
      );
      if (answers) context.stdout.write("rtt min/avg/max/mdev = 0.041/0.041/0.041/0.000 ms\n");
      return answers ? 0 : 1;
    },

    nc: (args, context) => {
      const options = readOptions(args, ["w"]);
      const [name = "", port = ""] = options.operands;
      const address = resolve(name, facts);
      const listens = facts
        .listeners()
        .some((listener) => listener.protocol === "tcp" && listener.port === Number(port));
      if (address !== undefined && isOwn(address, facts) && listens) return 0;
      return fail(context, `nc: connect to ${name} port ${port} (tcp) failed: Connection refused`);
    },
  };
}

function ss(args: readonly string[], context: Context, facts: HostFacts): number {
  const options = readOptions(args, ["A", "f"]);
  const wantsTcp = options.has("t") || !options.has("u");
  const wantsUdp = options.has("u") || !options.has("t");
  const port = /sport\s*=\s*:?(\d+)/.exec(options.operands.join(" "))?.[1];
  const shown = facts
    .listeners()
    .filter(
      ({ protocol, port: own }) =>
        (protocol === "tcp" ? wantsTcp : wantsUdp) && (port === undefined || own === Number(port)),
    );
  const hasKind = wantsTcp && wantsUdp;
  if (!options.has("H"))
    context.stdout.write(
      `${hasKind ? "Netid " : ""}State  Recv-Q Send-Q Local Address:Port  Peer Address:Port Process\n`,
    );
  for (const { protocol, address, port: own, process, pid } of shown) {
    const state = protocol === "tcp" ? "LISTEN" : "UNCONN";
    const owner = options.has("p") && context.user === "root" ? ` users:(("${process}",pid=${pid},fd=20))` : "";
    const local = `${address.includes(":") ? `[${address}]` : address}:${own}`;
    const peer = address.includes(":") ? "[::]:*" : "0.0.0.0:*";
    context.stdout.write(
      `${hasKind ? `${protocol}   ` : ""}${state} 0      ${protocol === "tcp" ? 511 : 0}    ${local.padEnd(22)} ${peer.padEnd(12)}${owner}\n`,
    );
  }
  return 0;
}

type Target = { host: string; port: number; isSecure: boolean; path: string };

function targetOf(url: string): Target | undefined {
  const found = /^(?:(https?):\/\/)?(\[[^\]]+\]|[^/:?#]+)(?::(\d+))?([/?][^#]*)?$/.exec(url);
  if (found === null) return undefined;
  const isSecure = found[1] === "https";
  return {
    host: (found[2] ?? "").replace(/[[\]]/g, ""),
    port: Number(found[3] ?? (isSecure ? 443 : 80)),
    isSecure,
    path: found[4] ?? "/",
  };
}

type Fetched = { exit: number; why: string; answer: WebAnswer | undefined; seconds: number };

/** Exit statuses are curl's: 6 no such name, 7 nobody listens, 28 too late. */
async function fetchFrom(url: string, withinSeconds: number, context: Context, facts: HostFacts): Promise<Fetched> {
  const target = targetOf(url);
  if (target === undefined)
    return { exit: 3, why: "URL using bad/illegal format or missing URL", answer: undefined, seconds: 0 };
  const address = resolve(target.host, facts);
  if (address === undefined)
    return { exit: 6, why: `Could not resolve host: ${target.host}`, answer: undefined, seconds: 0 };
  if (!isOwn(address, facts)) {
    await context.sleep(withinSeconds * 1000, context.signal);
    return { exit: 28, why: "Connection timed out", answer: undefined, seconds: withinSeconds };
  }
  await context.sleep(12, context.signal);
  const answer = facts.request(target.port, target.isSecure, target.path);
  if (answer !== undefined) return { exit: 0, why: "", answer, seconds: 0.012 };
  return {
    exit: 7,
    why: `Failed to connect to ${target.host} port ${target.port} after 0 ms: Couldn't connect to server`,
    answer: undefined,
    seconds: 0,
  };
}

/** curl's options that take a value, as far as anybody would probe with them. */
const CURL_VALUED =
  "o output w write-out m max-time connect-timeout H header X request A user-agent e referer u user x proxy noproxy d data " +
  "b cookie c cookie-jar E cert key cacert max-filesize max-redirs retry retry-delay resolve connect-to proto proto-redir " +
  "interface r range y Y speed-time speed-limit z T upload-file K config limit-rate unix-socket ciphers tls-max";

async function curl(args: readonly string[], context: Context, facts: HostFacts): Promise<number> {
  const options = readOptions(args, CURL_VALUED.split(" "));
  const seconds = Number(options.value("m", "max-time") ?? 300);
  const { exit, why, answer, seconds: taken } = await fetchFrom(options.operands[0] ?? "", seconds, context, facts);
  const isFailure = exit === 0 && options.has("f", "fail") && (answer?.status ?? 0) >= 400;
  if (answer !== undefined && !isFailure) {
    const head = `HTTP/1.1 ${answer.status} \r\nContent-Type: ${answer.type}\r\n\r\n`;
    const text = options.has("I", "head") ? head : `${options.has("i", "include") ? head : ""}${answer.body}`;
    if (!["/dev/null"].includes(options.value("o", "output") ?? "")) context.stdout.write(text);
  }
  const values: Record<string, string> = {
    http_code: String(answer?.status ?? 0).padStart(3, "0"),
    response_code: String(answer?.status ?? 0).padStart(3, "0"),
    time_total: taken.toFixed(6),
    time_connect: "0.000200",
    size_download: String(answer?.body.length ?? 0),
    content_type: answer?.type ?? "",
    exitcode: String(exit),
    errormsg: why,
    remote_ip: "127.0.0.1",
    num_redirects: "0",
  };
  const format = options.value("w", "write-out") ?? "";
  context.stdout.write(
    format
      .replace(/%\{(\w+)\}/g, (_whole, name: string) => values[name] ?? "")
      .replaceAll("\\n", "\n")
      .replaceAll("\\t", "\t"),
  );
  if (exit !== 0 && (!options.has("s", "silent") || options.has("S", "show-error")))
    context.stderr.write(`curl: (${exit}) ${why}\n`);
  if (isFailure) return 22;
  return exit;
}

async function wget(args: readonly string[], context: Context, facts: HostFacts): Promise<number> {
  const options = readOptions(args, ["O", "T", "timeout", "t", "tries", "header"]);
  const { exit, why, answer } = await fetchFrom(
    options.operands[0] ?? "",
    Number(options.value("T", "timeout") ?? 60),
    context,
    facts,
  );
  if (answer === undefined || exit !== 0) return fail(context, options.has("q") ? "" : `wget: ${why}`, 4);
  if (!options.has("spider")) context.stdout.write(answer.body);
  return answer.status < 400 ? 0 : 8;
}

function resolve(name: string, facts: HostFacts): string | undefined {
  if (/^[\d.]+$/.test(name) || name.includes(":")) return name;
  if (name === "localhost") return "127.0.0.1";
  return name === facts.name ? "127.0.1.1" : undefined;
}

function isOwn(address: string, facts: HostFacts): boolean {
  return address.startsWith("127.") || address === "::1" || address === facts.address;
}

function gateway(facts: HostFacts): string {
  return facts.address.replace(/\d+$/, "1");
}
