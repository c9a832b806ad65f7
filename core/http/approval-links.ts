// The page behind a signed link: what would run, why it asks, what was seen, and two buttons. GET only shows, so a preview
// of the link does nothing; POST answers. Whoever holds the link may answer, so nothing here tells more than its approval.
import type { Context, Hono } from "hono";
import type { Approval } from "../incident/approval.ts";
import type { Decided, Decision } from "../incident/approvals.ts";
import type { Log } from "../log.ts";
import { approvalPage, pageHeaders, refusalPage, type Page } from "./approval-page.ts";
import { readForm } from "./body.ts";
import { isAnswered } from "./approvals.ts";
import type { Door } from "./door.ts";

/** What the links ask of the other rooms. */
export type LinkParts = {
  approvals: {
    find(id: string): Approval | undefined;
    decide(id: string, decision: Decision, by: string): Decided | undefined;
  };
  isSigned(approval: Approval, signature: string): boolean;
  now(): number;
  log: Log;
};

const FORM = { bytesMax: 1024, withinSeconds: 20 } as const;

export function linkRoutes(app: Hono<{ Variables: { owner: string } }>, parts: LinkParts, door: Door): void {
  const { approvals, isSigned, now, log } = parts;
  const send = (c: Context, page: Page, status: 200 | 400 | 403 | 409 | 410): Response | Promise<Response> =>
    c.html(page, status, pageHeaders);

  /** The approval that the link was signed for. Of one that is unknown and one that was not signed the same is said. */
  const signed = (c: Context): Approval | undefined => {
    const { id = "", signature = "" } = c.req.param();
    const approval = approvals.find(id);
    if (approval?.id === id && isSigned(approval, signature)) return approval;
    door.refused(c, "link");
    return undefined;
  };
  const notOurs = (c: Context): Response | Promise<Response> =>
    send(c, refusalPage("This link does not count", "Medic did not sign it so. Nothing was done."), 403);
  const over = (approval: Approval): 409 | 410 => (isAnswered(approval) ? 409 : 410);

  app.get("/a/:id/:signature", (c) => {
    const approval = signed(c);
    if (approval === undefined) return notOurs(c);
    const { answer } = approval;
    const isShown = answer.is === "pending" || isAnswered(approval);
    return send(c, approvalPage(approval, now()), isShown ? 200 : 410);
  });
  app.post("/a/:id/:signature", async (c) => {
    const approval = signed(c);
    if (approval === undefined) return notOurs(c);
    const { decision } = await readForm(c.req.raw, FORM);
    if (decision !== "approve" && decision !== "deny") {
      return send(c, refusalPage("No answer", "It was neither a yes nor a no. Nothing was done."), 400);
    }
    const decided = approvals.decide(approval.id, decision, "link");
    if (decided === undefined) return notOurs(c);
    if (decided.is === "taken") return send(c, approvalPage(decided.approval, now()), 200);
    log.warning("link_used_again", { approval: approval.id, decision, is: decided.approval.answer.is });
    return send(c, approvalPage(decided.approval, now(), decision), over(decided.approval));
  });
}
