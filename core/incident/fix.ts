// What is known of one fix, as the journal keeps it: what it was about to do, how its steps went, what it is judged by.
// Words only; agent/apply.ts says when each is true.
import type { Command } from "../plugin/contract.ts";

/** What a fix is about to do, and all that a later process needs to find out what became of it. */
export type Intent = {
  tool: string;
  input: object;
  steps: readonly Command[];
  touches: readonly string[];
  /** Random; names the claims on the host. */
  attempt: string;
  /** The folder on the host that holds the claims: `<place>/<step>`. */
  place: string;
  identity: HostIdentity;
  /** The host's boot, where it has a name for it. */
  boot?: string;
  /** The run of the service before the fix. */
  marker?: string;
  /** What the fix watches, as it was seen last; redacted and bounded. */
  before: Readonly<Record<string, object>>;
  withinSeconds: number;
  stableSeconds: number;
};

/** What is known of the steps. */
export type Dispatch =
  /** All ended with 0. */
  | { is: "done"; seconds: number }
  | { is: "failed"; step: number; exit: number; said: string }
  /** Nothing left Medic. */
  | { is: "not-sent"; why: string }
  /** Medic holds the claim itself: it did not begin, and never will. */
  | { is: "not-applied"; why: string }
  /** No answer came, but its claim was taken and the service changed. `steps`: how many of them began. */
  | { is: "applied"; steps: number; why: string }
  /** The host has booted since: whatever ran is over, and claim and marker tell nothing. */
  | { is: "rebooted"; why: string }
  /** `steps`: how many began, where their claims tell. */
  | { is: "unknown"; steps?: number; why: string };

/** A fix that was started and not judged, with what is known of its steps so far. */
export type UnjudgedFix = { intent: Intent; startedAtMs: number; dispatch?: Dispatch };

/** Which machine it was. */
export type HostIdentity = {
  /** `SHA256:…`, of the connection; absent where there is none. */
  hostKey?: string;
  /** Made from /etc/machine-id, which is itself confidential; absent where there is none. */
  machine?: string;
};
