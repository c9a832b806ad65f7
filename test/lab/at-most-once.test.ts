// A fix that does not answer, on a real host: the claim and docker's own word say what became of it, and it happens once.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { homedir } from "node:os";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { prepareClaims, takeClaims } from "../../core/agent/claim.ts";
import { askOwn } from "../../core/agent/diagnosis.ts";
import { composeHands } from "../../core/cli/compose.ts";
import { readEquipped } from "../../core/cli/config-file.ts";
import { createOutput } from "../../core/cli/context.ts";
import { createMemoryJournal } from "../../core/incident/journal.ts";
import { silent } from "../../core/log.ts";
import { createCatalog } from "../../core/plugin/catalog.ts";
import type { Plugin } from "../../core/plugin/contract.ts";
import { readLab, onHost } from "../../scripts/lab/lab.ts";
import { dropbearPrograms, startDropbear } from "../support/dropbear.ts";
import { reach, unfit } from "../support/real-server.ts";
import { count, dockerActions, dockerNow, removeContainer, startContainer } from "./real-host.ts";

const never = new AbortController().signal;
const host = "vega";
const name = "unhurried";

type Patience = { timeoutSeconds?: number; settleSeconds?: number };

/** The docker plugin, but for how long a step may take to answer, and docker to finish what it was asked. */
function withPatience(plugin: Plugin, patience: Patience): Plugin {
  const tools = plugin.tools.map((tool) => (tool.kind === "fix" ? { ...tool, ...patience } : tool));
  return { ...plugin, tools };
}

/** A Medic whose fixes are given so long. */
async function hands(patience: Patience) {
  const lab = readLab();
  const out = createOutput(process, {});
  const context = { env: {}, home: homedir(), folder: lab.folder, out, stop: new AbortController().signal };
  const { config, catalog } = await readEquipped(context, { config: lab.config });
  const hurried = createCatalog(
    catalog.plugins.map((plugin) => withPatience(plugin, patience)),
    config.hosts,
  );
  const journal = createMemoryJournal({ now: Date.now });
  const limits = { ...config.limits, stable: 1 };
  const parts = { config: { ...config, limits }, catalog: hurried, journal, log: silent, agentSocket: undefined };
  return { ...composeHands(parts), journal };
}

describe("a claim over dropbear", { skip: unfit(...dropbearPrograms), timeout: 60_000 }, () => {
  it("lets one dispatch run, and tells the next one that it is taken", async () => {
    await using dropbear = await startDropbear();
    await using nexus = reach(dropbear);
    const attempt = randomBytes(16).toString("hex");
    const prepared = await askOwn(nexus.transport, "nexus", prepareClaims, { attempt }, never);
    assert.ok("place" in prepared, JSON.stringify(prepared));
    const claim = `${prepared.place}/0`;
    assert.equal((await nexus.run(["echo", "ran"], { claim })).stdout, "ran\n");
    await assert.rejects(nexus.run(["echo", "ran"], { claim }), { name: "ClaimTaken" });
    const input = { place: prepared.place, from: 0, steps: 2 };
    const taken = await askOwn(nexus.transport, "nexus", takeClaims, input, never);
    assert.deepEqual("claims" in taken && taken.claims, [{ is: "taken", running: false }, { is: "ours" }]);
    rmSync(prepared.place, { recursive: true });
  });
});

describe("a docker restart that outlives its timeout", { timeout: 120_000 }, () => {
  before(async () => {
    // Deaf to TERM: docker waits the ten seconds of grace.
    await startContainer(host, name, "", 'trap "" TERM; while :; do sleep 1; done');
  });
  after(() => removeContainer(host, name));

  it("is applied, once: its claim is taken, and the run of the container changes in the end", async () => {
    const { runTool, transport, journal } = await hands({ timeoutSeconds: 2 });
    const since = await dockerNow(host);
    const call = { host, tool: "docker_restart", input: { name }, approved: true };
    try {
      const outcome = await runTool(call, never);
      assert.equal(outcome.outcome, "fixed", JSON.stringify(outcome));
    } finally {
      await transport.close();
    }
    const events = journal.events(journal.incidents()[0]?.id ?? "");
    const dispatched = events.find((event) => event.kind === "fix-dispatched");
    assert.equal(dispatched?.dispatch.is, "applied", JSON.stringify(dispatched));
    const judged = events.find((event) => event.kind === "fix-judged");
    assert.deepEqual(judged?.facts, { began: "yes", changed: "yes", healthy: "yes" });
    assert.equal(count(await dockerActions(host, name, since), "restart"), 1);
    // Its answer may still be on its way, so its claim stays, as the login user's own.
    const started = events.find((event) => event.kind === "fix-started");
    assert.equal(await onHost(host, `stat -c '%U %a' ${started?.place}`), "medic 700");
  });

  it("is applied also when its client was killed on the host: docker's events show that docker is at work on it", async () => {
    // Without the events one second of calm would be the end of waiting, nine before docker kills the container.
    const { runTool, transport, journal } = await hands({ settleSeconds: 1 });
    const since = await dockerNow(host);
    let killed: Promise<string> | undefined;
    const stopHearing = journal.subscribe((event) => {
      if (event.kind !== "fix-started") return;
      const client = `${event.place}/0/pid`;
      // With what sudo runs: that would live on, and keep the channel open. sudo may end of that by itself.
      const kill = `pid=$(cat ${client}); kill -KILL $(ps -o pid= --ppid $pid) $pid || true`;
      killed = onHost(host, `until [ -s ${client} ]; do sleep 0.1; done; sleep 1; ${kill}`);
    });
    const call = { host, tool: "docker_restart", input: { name }, approved: true };
    try {
      const outcome = await runTool(call, never);
      assert.equal(outcome.outcome, "fixed", JSON.stringify(outcome));
    } finally {
      stopHearing();
      await killed;
      await transport.close();
    }
    const events = journal.events(journal.incidents()[0]?.id ?? "");
    const dispatched = events.find((event) => event.kind === "fix-dispatched");
    assert.equal(dispatched?.dispatch.is, "applied", JSON.stringify(dispatched));
    assert.match(JSON.stringify(dispatched), /was killed on the host \(exit 137\)/);
    assert.equal(count(await dockerActions(host, name, since), "restart"), 1);
  });
});
