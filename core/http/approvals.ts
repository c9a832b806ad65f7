// What waits for a person, and the person's answer, for whoever has a token. It refuses to know what an answer sets going.
import type { Context, Hono } from "hono";
import * as v from "valibot";
import type { Approval } from "../incident/approval.ts";
import type { Decided, Decision } from "../incident/approvals.ts";
import { RequestError, shown } from "./request-error.ts";
import { valid } from "./valid.ts";

/** What this asks of the incidents' room. */
export type ApprovalsPart = {
  find(id: string): Approval | undefined;
  pending(): Approval[];
  decide(id: string, decision: Decision, by: string): Decided | undefined;
};

const decisionShape = v.strictObject({
  decision: v.picklist(["approve", "deny"], "expected approve or deny"),
  // Who sits there, where a token stands for a whole machine.
  by: v.exactOptional(
    v.pipe(v.string("expected text"), v.regex(/^[\w.@-]{1,64}$/, "expected a name: letters, digits, . _ @ -")),
  ),
});

export function approvalRoutes(
  app: Hono<{ Variables: { owner: string } }>,
  approvals: ApprovalsPart,
  body: (c: Context) => Promise<unknown>,
): void {
  app.get("/approvals", (c) => c.json({ approvals: approvals.pending() }));
  app.get("/approvals/:id", (c) => {
    const id = c.req.param("id");
    const approval = approvals.find(id);
    if (approval === undefined) throw unknownApproval(id);
    return c.json({ approval });
  });
  app.post("/approvals/:id", async (c) => {
    const id = c.req.param("id");
    const { decision, by } = valid(decisionShape, await body(c), "the body");
    const owner = c.get("owner");
    const decided = approvals.decide(id, decision, by === undefined ? owner : `${by} (${owner})`);
    if (decided === undefined) throw unknownApproval(id);
    const { approval } = decided;
    if (decided.is === "late") {
      const status = isAnswered(approval) ? 409 : 410;
      throw new RequestError(status, `Cannot ${decision} ${approval.id}: ${answerInWords(approval)}`);
    }
    return c.json({ approval });
  });
}

/** Whether somebody said yes or no, as against nobody being asked any more. */
export function isAnswered({ answer }: Approval): boolean {
  return answer.is === "approved" || answer.is === "denied";
}

/** What became of it, as the end of a sentence. */
export function answerInWords({ answer }: Approval): string {
  switch (answer.is) {
    case "pending":
      return "it waits for an answer";
    case "approved":
    case "denied":
      return `it was ${answer.is} by ${answer.by} at ${answer.at}`;
    default:
      return `it is ${answer.is} since ${answer.at}: ${answer.why}`;
  }
}

function unknownApproval(id: string): RequestError {
  return new RequestError(404, `There is no approval "${shown(id)}"`);
}
