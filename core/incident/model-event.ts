// What is written down of a conversation with a model: what it said and used, what it asked for, and what became of that.
// Enough to make anew what it was given; its thinking is kept nowhere. Knows no model and no wire.
import type { Attempt, Facts, FixOutcome } from "../plugin/contract.ts";

/** One call of a model's reply; redacted and bounded. */
export type TurnCall = { id: string; tool: string } & (
  | { is: "diagnostic" }
  | { is: "fix"; input: object; outcome: FixOutcome; why: string; facts?: Facts; planned?: true }
  | { is: "not-run"; input: object; why: string }
);

/** Part of an incident's events. */
export type ModelEvent =
  | { kind: "responder-said"; responder: string; text: string }
  | {
      kind: "responder-usage";
      responder: string;
      model: string;
      inputTokens: number;
      outputTokens: number;
      dollars: number;
    }
  /** A conversation with a model begins; `digest` is of all it was given, see conversation.ts. */
  | { kind: "responder-briefed"; responder: string; attempts: readonly Attempt[]; digest: string }
  /** What became of each call of one reply; findings stand in the `diagnosed` before it. `last`: one more reply is left. */
  | { kind: "responder-turn"; responder: string; calls: readonly TurnCall[]; last?: true }
  /** A reply of which nothing was used; `again`: another one was asked for in its place. */
  | { kind: "reply-discarded"; responder: string; why: string; again?: "shorter" | "fewer" };
