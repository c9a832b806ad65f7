// How `medic init` meets hosts: the key of each at a person's word, then one login to each, over the one connection that the
// pool makes, to look what runs there. A host that cannot be looked at is left out, with the reason. Writes nothing.
import { stringify } from "yaml";
import { parseConfig, readSecret } from "../../config/load.ts";
import type { HostConfig } from "../../config/schema.ts";
import type { HostEntry } from "../../config/ssh-import.ts";
import { silent } from "../../log.ts";
import { createTransport, type Transport, TransportError } from "../../transport/pool.ts";
import { CannotTell, type Context, UsageError } from "../context.ts";
import { type Offer, offerOf, showOffer } from "../trust.ts";
import type { Met } from "./hosts-file.ts";
import { type Survey, surveyCommand, surveyOf } from "./survey.ts";

export type LeftOut = { host: string; why: string };
export type How = {
  /** Where hosts.yaml will be; relative paths begin there. */
  folder: string;
  /** The person agreed to every key beforehand. */
  isSure: boolean;
  isQuiet: boolean;
};

type Pinned = HostEntry & { hostKey: string };
type Written = Readonly<Record<string, HostEntry | { transport: "local" }>>;

type Found = [host: string, survey: Survey | { why: string }];

const SURVEY_SECONDS = 20;
const REACH_SECONDS = 40;

/** `hosts`: those that others are reached through come first. `self`: this machine too. */
export async function meet(
  { hosts, self }: { hosts: Readonly<Record<string, HostEntry>>; self: boolean },
  how: How,
  context: Context,
): Promise<{ met: Met[]; leftOut: LeftOut[] }> {
  const leftOut: LeftOut[] = [];
  const pinned: Record<string, Pinned> = {};
  for (const [name, entry] of Object.entries(hosts)) {
    const answer = await keyOf(name, entry, pinned, how, context);
    if ("why" in answer) leftOut.push({ host: name, why: answer.why });
    else pinned[name] = { ...entry, hostKey: answer.hostKey };
  }
  const surveys = await survey({ ...pinned, ...(self ? { self: { transport: "local" as const } } : {}) }, how, context);
  const met: Met[] = [];
  for (const [name, found] of surveys) {
    const entry = pinned[name];
    const jump = entry?.jump;
    if ("why" in found) leftOut.push({ host: name, why: found.why });
    else if (jump !== undefined && !met.some((one) => one.name === jump))
      leftOut.push({ host: name, why: wayLeadsThrough(jump) });
    else met.push({ name, survey: found, ...(entry === undefined ? {} : { entry }) });
  }
  return { met, leftOut };
}

async function keyOf(
  name: string,
  entry: HostEntry,
  pinned: Readonly<Record<string, Pinned>>,
  how: How,
  context: Context,
): Promise<{ hostKey: string } | { why: string }> {
  if (entry.jump !== undefined && !Object.hasOwn(pinned, entry.jump)) return { why: wayLeadsThrough(entry.jump) };
  const hosts = complete({ ...pinned, [name]: entry }, how, context);
  const host = hosts[name] as HostConfig;
  let offer: Offer;
  try {
    offer = await offerOf(hosts, host, context);
  } catch (error) {
    if (error instanceof CannotTell) return { why: error.message };
    throw error;
  }
  if (!how.isQuiet) showOffer(offer, context);
  switch (offer.verdict.is) {
    case "revoked":
      return { why: `${host.knownHosts} says that its key is revoked. Do not trust this machine` };
    case "changed":
      return {
        why: `${host.knownHosts} has another key of it: somebody may be answering in its place. If you rebuilt it: ssh-keygen -R ${host.address}`,
      };
    default:
      return how.isSure || (await isAgreed(name, context))
        ? { hostKey: offer.fingerprint }
        : { why: "its key was not agreed to" };
  }
}

async function isAgreed(name: string, { ask }: Context): Promise<boolean> {
  if (ask === undefined) {
    throw new UsageError(`Cannot trust "${name}" without a person's word: run it on a terminal, or add --yes`);
  }
  return /^y(es)?$/i.test((await ask("Is it the same, and shall it be trusted? [y/N] ")).trim());
}

/** Of all at once; in the order given. */
async function survey(written: Written, how: How, context: Context): Promise<Found[]> {
  const names = Object.keys(written);
  if (names.length === 0) return [];
  const transport = createTransport(complete(written, how, context), {
    log: silent,
    agentSocket: context.env["SSH_AUTH_SOCK"],
    drainSeconds: { diagnostics: 1, fixes: 1 },
  });
  try {
    const found = names.map(async (name): Promise<Found> => [name, await surveyed(name, transport, context)]);
    return await Promise.all(found);
  } finally {
    await transport.close();
  }
}

async function surveyed(name: string, transport: Transport, { stop }: Context): Promise<Survey | { why: string }> {
  try {
    const result = await transport.run(name, surveyCommand, {
      kind: "diagnostic",
      tool: "init",
      commandSeconds: SURVEY_SECONDS,
      deadlineSeconds: REACH_SECONDS,
      signal: stop,
    });
    return surveyOf(result) ?? { why: `it runs no commands for Medic: ${lastLine(result)}` };
  } catch (error) {
    stop.throwIfAborted();
    if (error instanceof TransportError) return { why: error.message };
    throw error;
  }
}

/** As hosts.yaml would have them, with every default. */
function complete(written: Written, { folder }: How, { env, home }: Context): Readonly<Record<string, HostConfig>> {
  const place = { file: "hosts.yaml", folder, env, home, readSecret };
  return parseConfig(stringify({ hosts: written }), place).config.hosts;
}

function wayLeadsThrough(jump: string): string {
  return `the way to it leads through "${jump}", which is left out`;
}

function lastLine({ exit, stdout, stderr }: { exit: number; stdout: string; stderr: string }): string {
  const line = `${stdout}\n${stderr}`.trim().split("\n").at(-1) ?? "";
  return line === "" ? `exit status ${exit}` : `"${line.slice(0, 200)}" (exit status ${exit})`;
}
