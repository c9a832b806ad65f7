// A fix that has passed every gate: from the last look at the host to the verdict. Nothing here is ever run a second time:
// each step goes through a claim on the host (claim.ts), and what was not answered is reconciled. A process that was
// killed takes the same way up where the journal says it was left. It refuses to know who asked, and whether it may.
//
//   preparing ─▶ intent ─▶ sending ─▶ dispatched ─▶ verifying ─▶ judged
//       └─ refused, overtaken  └─(lost, or killed here)─▶ reconciling ─▶ dispatched
import { randomBytes } from "node:crypto";
import type { Dispatch, HostIdentity, Intent, UnjudgedFix } from "../incident/fix.ts";
import type { IncidentEvent } from "../incident/incident.ts";
import type { Calls, Facts, Fix, Found, Plan, Seen } from "../plugin/contract.ts";
import { dropClaims, otherMachine, type Prepared, prepareClaims } from "./claim.ts";
import { advised, askOwn, type How, messageOf, type Reach, type Tools } from "./diagnosis.ts";
import { type Lost, reconcile, type ReconcileParts } from "./reconcile.ts";
import { presentable, redactText } from "./redact.ts";
import { blindSpot, verify, type Verdict } from "./verification.ts";

/** What is known of the machines behind the hosts' names. */
export type Identities = {
  /** The key of the host's open connection. */
  hostKey(host: string): string | undefined;
  /** The key that hosts.yaml pins. */
  pinned(host: string): string | undefined;
  /** What the last fix met, or what a person accepted since. */
  recorded(host: string): HostIdentity | undefined;
};

export type ApplyParts = ReconcileParts & {
  reach: Reach;
  tools: Pick<Tools, "hintFor">;
  identities: Identities;
  limits: { stable?: number; findingBytes: number };
};

/** A fix on a host: what it watches can be asked, and what happens to it is written down durably. */
export type Subject = {
  host: string;
  fix: Fix;
  input: object;
  /** Asks what the fix watches, once, without writing it down. */
  look(): Promise<Seen<Calls>>;
  /** Asks what the host noted in the last seconds, likewise. */
  lookBack(sinceSeconds: number): Promise<Seen<Calls>>;
  /** Writes to the journal, durably, before it returns. */
  record(event: IncidentEvent): void;
};

/** A plan that has passed its gates. `objection`: what speaks against it since, asked with nothing between it and the intent. */
export type Passed = { plan: Plan; before: Found<Calls>; objection(): string | undefined };

/** Nothing ran: `refused` for good, or `overtaken` by somebody else, so that one has to look again. */
export type NotBegun = { refused: string } | { overtaken: string };

/** Runs the steps and watches the host until there is a verdict, which is written down. Throws only when aborted. */
export async function applyFix(
  parts: ApplyParts,
  subject: Subject,
  { plan, before, objection }: Passed,
  signal: AbortSignal,
): Promise<Verdict | NotBegun> {
  const { fix, input, record } = subject;
  const ready = await prepare(parts, subject, before, signal);
  if (!("place" in ready)) return ready;
  const { attempt, place, boot, identity, now } = ready;
  const marker = fix.marker?.(now);
  const intent: Intent = {
    tool: fix.name,
    input,
    steps: plan.steps,
    touches: plan.touches,
    attempt,
    place,
    identity,
    ...(boot === undefined ? {} : { boot }),
    ...(marker === undefined ? {} : { marker }),
    before: presentable(now, parts.limits.findingBytes) as Intent["before"],
    withinSeconds: plan.withinSeconds ?? fix.withinSeconds,
    stableSeconds: Math.min(fix.stableSeconds, parts.limits.stable ?? Infinity),
  };
  const objected = objection();
  if (objected !== undefined) {
    await dropped(parts.reach, subject.host, place, signal);
    return { refused: objected };
  }
  record({ kind: "fix-started", ...intent });
  const begun = { intent, startedAtMs: parts.now(), before: now };
  return follow(parts, subject, begun, await send(parts, subject, intent), signal);
}

/** Goes on where a process that was killed left a fix; without a `dispatch`, nobody was told how its steps ended. */
export function takeUpFix(
  parts: ApplyParts,
  subject: Subject,
  { intent, startedAtMs, dispatch }: UnjudgedFix,
  signal: AbortSignal,
): Promise<Verdict> {
  const lost: Lost = { is: "lost", from: 0, why: "Medic was stopped before it was told how the fix ended" };
  const begun = { intent, startedAtMs, before: intent.before };
  return follow(parts, subject, begun, dispatch ?? lost, signal, dispatch !== undefined);
}

/** The last look: is this the machine, is the service as the plan found it, and where do the claims go? One round trip. */
async function prepare(
  { reach, identities }: ApplyParts,
  { host, fix, look }: Subject,
  before: Found<Calls>,
  signal: AbortSignal,
): Promise<NotBegun | (Prepared & { attempt: string; identity: HostIdentity; now: Found<Calls> })> {
  const attempt = randomBytes(16).toString("hex");
  const [seen, prepared] = await Promise.all([look(), askOwn(reach, host, prepareClaims, { attempt }, signal)]);
  // Aborted while it looked: what has not begun does not begin.
  signal.throwIfAborted();
  if ("unavailable" in prepared) return { refused: `the host cannot be prepared for it: ${prepared.unavailable}` };
  const hostKey = identities.hostKey(host);
  const { machine } = prepared;
  const identity = { ...(hostKey === undefined ? {} : { hostKey }), ...(machine === undefined ? {} : { machine }) };
  const other = otherMachine(host, identity, identities.recorded(host), identities.pinned(host));
  const objection = other === undefined ? objectionTo(fix, seen, before) : { refused: other };
  if (objection === undefined) return { ...prepared, attempt, identity, now: seen };
  await dropped(reach, host, prepared.place, signal);
  return objection;
}

function objectionTo(fix: Fix, seen: Seen<Calls>, before: Found<Calls>): NotBegun | undefined {
  const blind = blindSpot(seen);
  if (blind !== undefined) return { refused: `blind before it: ${blind}` };
  if (fix.marker?.(seen) === fix.marker?.(before)) return undefined;
  return { overtaken: "the service is in another run than the one that was looked at: somebody else changed it" };
}

/** What is left where this fails is an empty folder. */
async function dropped(reach: Reach, host: string, place: string, signal: AbortSignal): Promise<void> {
  await askOwn(reach, host, dropClaims, { place }, signal).catch(() => undefined);
}

async function send(
  { reach, tools, now }: ApplyParts,
  { host, fix }: Subject,
  { steps, place }: Intent,
): Promise<Dispatch | Lost> {
  const began = now();
  for (const [index, step] of steps.entries()) {
    try {
      const result = await reach.run(host, step, howOf(fix, `${place}/${index}`));
      if (result.exit === 0) continue;
      if (result.exit > SIGNAL_EXIT) return { is: "lost", from: index, why: killedText(result.exit) };
      const text = redactText(result.stderr.trim() || result.stdout.trim()).slice(-2000);
      const said = advised(tools, fix.name, text === "" ? `exit ${result.exit}` : text);
      return { is: "failed", step: index, exit: result.exit, said };
    } catch (error) {
      if (index === 0 && !wasDispatched(error)) return { is: "not-sent", why: messageOf(error) };
      return { is: "lost", from: index, why: messageOf(error) };
    }
  }
  return { is: "done", seconds: (now() - began) / 1000 };
}

/** From the end of the dispatch, whatever is known of it, to the verdict. */
async function follow(
  parts: ApplyParts,
  subject: Subject,
  { intent, startedAtMs, before }: { intent: Intent; startedAtMs: number; before: Found<Calls> },
  sent: Dispatch | Lost,
  signal: AbortSignal,
  isRecorded = false,
): Promise<Verdict> {
  const { host, fix, input, look, record } = subject;
  const { now, sleep, reach } = parts;
  const dispatch =
    sent.is === "lost" ? await reconcile(parts, { ...subject, intent, startedAtMs }, sent, signal) : sent;
  if (!isRecorded) record({ kind: "fix-dispatched", tool: fix.name, dispatch });
  // Only what was answered, or never left, is sure not to arrive any more; every other claim stays as it is for good, and
  // goes with the host's next boot or its cleaning of /tmp.
  const isAnswered = dispatch.is === "done" || dispatch.is === "failed" || dispatch.is === "not-sent";
  const dropping = isAnswered ? dropped(reach, host, intent.place, signal) : undefined;
  const verdict = await judge();
  await dropping;
  record({ kind: "fix-judged", tool: fix.name, input, ...verdict });
  return verdict;

  async function judge(): Promise<Verdict> {
    switch (dispatch.is) {
      case "not-sent":
      case "not-applied":
        return { outcome: "failed", facts: nothingRan, why: `nothing ran: ${dispatch.why}` };
      case "failed":
        return { outcome: "failed", facts: { ...nothingKnown, began: "yes" }, why: dispatch.said };
      default: {
        const { marker, steps, withinSeconds, stableSeconds } = intent;
        const watched = { fix, input, before, marker, steps: steps.length, dispatch, withinSeconds, stableSeconds };
        return verify({ ...watched, look, now, sleep, signal });
      }
    }
  }
}

/** Shells and channels tell so of a process that a signal ended (128 and its number). */
const SIGNAL_EXIT = 128;

/** Only the client ended, by somebody's or the kernel's hand (out of memory); docker and systemd go on without it. */
function killedText(exit: number): string {
  return `its command was killed on the host (exit ${exit}), so what it asked for may go on`;
}

export const nothingKnown: Facts = { began: "unknown", changed: "unknown", healthy: "unknown" };
const nothingRan: Facts = { began: "no", changed: "no", healthy: "unknown" };

// No signal: a fix under way is never cut, it is waited for and judged.
function howOf({ name, timeoutSeconds }: Fix, claim: string): How {
  return {
    kind: "fix",
    tool: name,
    claim,
    ...(timeoutSeconds === undefined ? {} : { commandSeconds: timeoutSeconds }),
  };
}

/** Only an error that says so itself never left; anything else may have run. */
function wasDispatched(error: unknown): boolean {
  return !(error instanceof Error && "dispatched" in error && error.dispatched === false);
}
