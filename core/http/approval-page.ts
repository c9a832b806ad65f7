// One approval as a page for a phone: plain HTML, no script, nothing loaded from anywhere. Pure; every value is escaped by
// the template. It refuses to know what an answer sets going.
import { createHash } from "node:crypto";
import { html, raw } from "hono/html";
import type { Approval } from "../incident/approval.ts";
import type { Decision } from "../incident/approvals.ts";
import { commandText, printable } from "../incident/shown.ts";
import { answerInWords } from "./approvals.ts";

export type Page = ReturnType<typeof html>;

const style = `
:root { color-scheme: light dark; --ink: #1c2024; --paper: #fbfbf9; --soft: #62676d; --line: #d9dbd6; --card: #fff; --yes: #14693f; --no: #9c2f2a; --code: #f1f2ee; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9eae6; --paper: #15171a; --soft: #a0a5ab; --line: #33373c; --card: #1d2024; --yes: #2f9e68; --no: #d2625c; --code: #101214; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.45 system-ui, sans-serif; }
main { max-width: 40rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; }
header { color: var(--soft); font-size: .85rem; letter-spacing: .02em; }
h1 { font-size: 1.45rem; line-height: 1.2; margin: .35rem 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: .8rem; text-transform: uppercase; letter-spacing: .06em; color: var(--soft); margin: 1.4rem 0 .4rem; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
pre { margin: 0; padding: .8rem; background: var(--code); border: 1px solid var(--line); border-radius: .6rem; font: .92rem/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
pre + pre { margin-top: .4rem; }
.risk { display: inline-block; padding: .05rem .55rem; border: 1px solid currentColor; border-radius: 1rem; font-size: .85rem; }
.disruptive, .destructive { color: var(--no); }
form { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; margin: 1.4rem 0 .5rem; }
button { font: inherit; font-weight: 600; padding: .95rem .5rem; border-radius: .7rem; border: 1px solid transparent; cursor: pointer; }
.yes { background: var(--yes); color: #fff; }
.no { background: var(--card); color: var(--no); border-color: var(--no); }
.said { padding: .8rem 1rem; border-left: 4px solid var(--soft); background: var(--card); border-radius: .3rem; }
details { border-top: 1px solid var(--line); margin-top: 1.2rem; padding-top: .8rem; }
summary { cursor: pointer; font-weight: 600; }
.seen { font: .82rem/1.5 ui-monospace, monospace; padding: .5rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: .82rem; margin-top: 1.6rem; overflow-wrap: anywhere; }
`;
// Whole, so that no formatter comes between the text and its hash.
const styleTag = raw(`<style>${style}</style>`);
const styleHash = createHash("sha256").update(style).digest("base64");

/** Nothing runs, nothing is loaded, nobody frames it, nobody keeps it, and the link is told to nobody. */
export const pageHeaders: Record<string, string> = {
  "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  "Cache-Control": "no-store",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "X-Robots-Tag": "noindex, nofollow",
};

/** The question with its buttons, or what became of it; `tried`: what somebody wanted to answer too late. */
export function approvalPage(approval: Approval, nowMs: number, tried?: Decision): Page {
  const { tool, host, risk, key, steps, touches, why, said, evidence, incident, id } = approval;
  const isPending = approval.answer.is === "pending";
  return page(
    isPending ? `Run ${tool} on ${host}?` : headline(approval),
    html`${isPending ? "" : html`<p class="said">${outcome(approval, tried)}</p>`}
      <p><span class="risk ${risk}">${risk}</span> for ${key}, touching ${touches.map(printable).join(", ")}</p>
      <h2>${isPending ? "What would run" : "What was asked"}</h2>
      ${steps.map((step) => html`<pre>${commandText(step)}</pre>`)}
      <h2>Why it asks</h2>
      <p>${printable(why)}</p>
      ${said === undefined ? "" : html`<p>${printable(said)}</p>`} ${isPending ? buttons(approval, nowMs) : ""}
      ${evidence.length === 0 ? "" : seen(evidence)}
      <footer>Approval ${id} of incident ${incident}. Asked at ${clock(approval.requestedAt)}.</footer>`,
  );
}

/** Nothing is shown of what the link names. */
export function refusalPage(title: string, text: string): Page {
  return page(title, html`<p class="said">${text}</p>`);
}

function page(title: string, content: Page): Page {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · Medic</title>
        ${styleTag}
      </head>
      <body>
        <main>
          <header>Medic</header>
          <h1>${title}</h1>
          ${content}
        </main>
      </body>
    </html>`;
}

function buttons({ expiresAt }: Approval, nowMs: number): Page {
  const minutes = Math.max(1, Math.round((Date.parse(expiresAt) - nowMs) / 60_000));
  return html`<form method="post">
      <button class="yes" name="decision" value="approve">Run it</button>
      <button class="no" name="decision" value="deny">No</button>
    </form>
    <p>Counts until ${clock(expiresAt)} (${minutes} min). No answer is a no.</p>`;
}

function seen(evidence: readonly string[]): Page {
  return html`<details>
    <summary>What was seen (${evidence.length})</summary>
    ${evidence.map((line) => html`<div class="seen">${printable(line)}</div>`)}
  </details>`;
}

function headline({ answer, tool }: Approval): string {
  switch (answer.is) {
    case "approved":
      return `Yes to ${tool}`;
    case "denied":
      return `No to ${tool}`;
    default:
      return `Too late for ${tool}`;
  }
}

function outcome(approval: Approval, tried: Decision | undefined): string {
  const { answer } = approval;
  if (tried !== undefined) return `Nothing was done with this answer: ${answerInWords(approval)}.`;
  if (answer.is === "approved") {
    return `Agreed by ${answer.by} at ${clock(answer.at)}. It is planned anew, and runs if it is still the same.`;
  }
  if (answer.is === "denied")
    return `Refused by ${answer.by} at ${clock(answer.at)}. Nothing runs; the incident is left to you.`;
  return `Nothing runs: ${answerInWords(approval)}.`;
}

function clock(instant: string): string {
  return `${instant.slice(0, 16).replace("T", " ")} UTC`;
}
