// A person with a phone's browser: Chromium opens the signed link of a running `serve` and presses its buttons. In the lab's
// suite because Chromium is a package of the lab; the host behind it is the sandbox's.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { after, before, describe, it } from "node:test";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { eventually, firing, type Served, startScenario } from "../support/scenario.ts";

const phoneSize = { width: 390, height: 844 };

describe("an approval in a real browser", { timeout: 180_000 }, () => {
  let folder = "";
  let browser: BrowserContext;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "medic-chromium-"));
    browser = await chromium.launchPersistentContext(folder, {
      executablePath: "/usr/bin/chromium",
      headless: true,
      viewport: phoneSize,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** A question is out, and its link is opened. `within`: how long it stands. */
  async function asked(within: string, then: (at: Opened) => Promise<void>): Promise<void> {
    await using phone = await startReceiver();
    const more = `approvals: { within: ${within} }\nnotify:\n  - ntfy: { url: "${phone.url}", topic: medic }\n`;
    await using scenario = await startScenario({ trust: "observe", publicUrl: "http://medic.example", more });
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const body = JSON.stringify(firing({ host: "nexus", service: "scrypted" }));
    const response = await serve.ask("/webhooks/alertmanager", { method: "POST", body });
    const { incidents } = (await response.json()) as { incidents: { id: string }[] };
    const link = await linkIn(phone, serve);
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on("console", (message) => void (message.type() === "error" && faults.push(message.text())));
    await page.goto(link);
    const fixes = async (): Promise<number> => (await storyOf(serve, incidents[0]?.id ?? "")).fixes;
    const state = async (): Promise<string> => (await storyOf(serve, incidents[0]?.id ?? "")).state;
    await then({ page, link, state, fixes });
    assert.deepEqual(
      faults.filter((fault) => /Content Security Policy/.test(fault)),
      [],
    );
    await page.close();
    await serve.stop();
  }

  it("is given by a click: the fix runs once, and the page says so", () =>
    asked("1h", async ({ page, state, fixes }) => {
      await page.getByText("docker restart").waitFor();
      assert.equal(await state(), "awaiting-approval");
      await shot(page, "question");
      await page.getByRole("button", { name: "Run it" }).click();
      await page.getByText("Agreed by link").waitFor();
      await shot(page, "agreed");
      await eventually("the end", async () => (await state()) === "resolved");
      assert.equal(await fixes(), 1);
    }));

  it("is refused by a click: nothing runs", () =>
    asked("1h", async ({ page, state, fixes }) => {
      await page.getByRole("button", { name: "No", exact: true }).click();
      await page.getByText("Refused by link").waitFor();
      assert.equal(await state(), "escalated");
      assert.equal(await fixes(), 0);
    }));

  it("cannot be given twice: a page that was left open says what the first answer was", () =>
    asked("1h", async ({ page, link, state, fixes }) => {
      const other = await browser.newPage();
      await other.goto(link);
      await page.getByRole("button", { name: "No", exact: true }).click();
      await page.getByText("Refused by link").waitFor();
      await other.getByRole("button", { name: "Run it" }).click();
      await other.getByText("Nothing was done with this answer").waitFor();
      await shot(other, "late");
      await other.close();
      assert.equal(await state(), "escalated");
      assert.equal(await fixes(), 0);
    }));

  it("cannot be given after its time", () =>
    asked("10s", async ({ page, state, fixes }) => {
      // A real wait: the browser's page has to be older than the question.
      await delay(11_000);
      await page.getByRole("button", { name: "Run it" }).click();
      await page.getByText("Too late").waitFor();
      assert.equal(await state(), "escalated");
      assert.equal(await fixes(), 0);
    }));
});

type Opened = { page: Page; link: string; state(): Promise<string>; fixes(): Promise<number> };

/** For whoever wants to see it: SCREENSHOTS names a folder. */
async function shot(page: Page, name: string): Promise<void> {
  const where = env["SCREENSHOTS"];
  if (where !== undefined) await page.screenshot({ path: join(where, `${name}.png`), fullPage: true });
}

/** The phone's link, as it leads to this serve; the public name is a proxy's. */
async function linkIn(phone: Receiver, serve: Served): Promise<string> {
  await eventually("the question", () => phone.received.length > 0);
  const { click } = phone.messages()[0] as { click: string };
  return new URL(new URL(click).pathname, serve.url).href;
}

async function storyOf(serve: Served, id: string): Promise<{ state: string; fixes: number }> {
  const story = (await (await serve.ask(`/incidents/${id}`)).json()) as {
    incident: { state: { is: string } };
    events: { kind: string }[];
  };
  const fixes = story.events.filter(({ kind }) => kind === "fix-started").length;
  return { state: story.incident.state.is, fixes };
}
