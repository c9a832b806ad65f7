// `medic accept HOST`: which machine answers under a host's name, beside the one that fixes met there; after a person's word
// fixes go to it. The key itself is `medic trust`'s: no connection is made to a key that nobody trusts.
import { identify } from "../agent/claim.ts";
import { askOwn } from "../agent/diagnosis.ts";
import type { Config } from "../config/schema.ts";
import type { HostIdentity } from "../incident/fix.ts";
import { readJournal } from "../incident/journal.ts";
import { JournalError } from "../incident/journal-error.ts";
import { silent } from "../log.ts";
import { createTransport } from "../transport/pool.ts";
import { readConfig } from "./config-file.ts";
import { CannotTell, type Context, type ExitCode, type Output, UsageError } from "./context.ts";
import { requireKeys } from "./keys.ts";
import { callServe, openUnlessServed, readNote, type ServeNote } from "./serve-client.ts";
import { configArg, defineVerb, jsonArg } from "./verb.ts";

const BY = "this machine";

export const accept = defineVerb({
  name: "accept",
  description: "Say that a host is another machine from now on, after it was rebuilt",
  args: {
    host: { type: "positional", description: "A host of hosts.yaml", required: true },
    yes: { type: "boolean", description: "Accept it without asking" },
    ...configArg,
    ...jsonArg,
  },
  async run(args, context): Promise<ExitCode> {
    const { config } = readConfig(context, args.config);
    const { host } = args;
    if (!Object.hasOwn(config.hosts, host)) {
      const names = Object.keys(config.hosts).join(", ");
      throw new UsageError(`Cannot accept "${host}": no such host in hosts.yaml, it has ${names}`);
    }
    const [now, before] = [await identityOf(config, host, context), recorded(config, host)];
    const isKnown = before !== undefined && before.hostKey === now.hostKey && before.machine === now.machine;
    const answer = (done: "accepted" | "nothing" | "refused", says: string, code: ExitCode): ExitCode => {
      if (args.json === true) context.out.json({ host, now, before: before ?? null, done });
      else context.out.note(says);
      return code;
    };
    if (args.json !== true) show(host, now, before, context.out);
    if (isKnown) return answer("nothing", "It is the machine that fixes met there.", 0);
    if (args.yes !== true && !(await agreed(host, context))) return answer("refused", "Nothing was changed.", 1);
    await write(config, host, now, context);
    return answer("accepted", `Fixes on "${host}" go to this machine from now on.`, 0);
  },
});

async function identityOf(config: Config, host: string, { env, stop }: Context): Promise<HostIdentity> {
  await requireKeys(
    Object.values(config.hosts).filter(({ name }) => name === host),
    env,
  );
  const transport = createTransport(config.hosts, { log: silent, agentSocket: env["SSH_AUTH_SOCK"] });
  try {
    const told = await askOwn(transport, host, identify, {}, stop);
    if ("unavailable" in told) throw new CannotTell(`Cannot tell which machine "${host}" is: ${told.unavailable}`);
    const hostKey = transport.statistics().find((one) => one.host === host)?.hostKey;
    const { machine } = told;
    return { ...(hostKey === undefined ? {} : { hostKey }), ...(machine === undefined ? {} : { machine }) };
  } finally {
    await transport.close();
  }
}

function recorded({ server }: Config, host: string): HostIdentity | undefined {
  try {
    const journal = readJournal(server.data, { now: Date.now });
    try {
      return journal.identityOf(host);
    } finally {
      journal.close();
    }
  } catch (error) {
    if (error instanceof JournalError && error.fault === "missing") return undefined;
    throw error;
  }
}

function show(host: string, now: HostIdentity, before: HostIdentity | undefined, { line, paint }: Output): void {
  line(paint("bold", host));
  for (const [what, is, was] of [
    ["host key", now.hostKey, before?.hostKey],
    ["machine id (hashed)", now.machine, before?.machine],
  ] as const) {
    const change = before === undefined ? "" : was === is ? "  as before" : paint("yellow", `  was ${was ?? "none"}`);
    line(`  ${what.padEnd(20)} ${is ?? "none"}${change}`);
  }
  if (before === undefined) line("  no fix has met it so far: the first one will take it as it is");
}

async function agreed(host: string, { ask }: Context): Promise<boolean> {
  if (ask === undefined) {
    throw new UsageError(`Cannot accept "${host}" without a person's word: run it on a terminal, or add --yes`);
  }
  return /^y(es)?$/i.test((await ask("Did you rebuild it, and shall fixes go to it? [y/N] ")).trim());
}

/** While `serve` runs it is told, since the journal has one writer. */
async function write({ server }: Config, host: string, identity: HostIdentity, { stop }: Context): Promise<void> {
  const journal = openUnlessServed(server.data);
  if (journal !== undefined) {
    try {
      return journal.note({ kind: "host-accepted", host, identity, by: BY });
    } finally {
      journal.close();
    }
  }
  const path = `/hosts/${encodeURIComponent(host)}/identity`;
  const request = { method: "POST", body: identity, signal: stop };
  const { status, body } = await callServe(readNote(server.data) as ServeNote, path, request);
  if (status === 201) return;
  throw new UsageError(`Cannot accept "${host}": medic serve answers ${status}: ${JSON.stringify(body)}`);
}
