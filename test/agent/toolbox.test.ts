import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { kinds, never, toyAgent } from "../support/agent.ts";
import { createCatalog } from "../../core/plugin/catalog.ts";
import { answer, lampOn, lampStatus, toyPlugin, transportError } from "../support/toy.ts";

const on = { tool: "lamp_on", input: { name: "lamp" } };
const status = { tool: "lamp_status", input: { name: "lamp" } };

describe("the toolbox, reading", () => {
  it("runs the diagnostics of one turn in parallel and answers in the order of the calls", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    const outcomes = await toolboxFor(errand).turn(
      [status, { tool: "lamp_status", input: { name: "gone" } }, status],
      never,
    );
    assert.deepEqual(
      outcomes.map(({ outcome }) => outcome),
      ["found", "unavailable", "found"],
    );
    assert.equal(host.inFlightMax, 3);
  });

  it("refuses an unknown tool, and no command leaves", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    const [outcome] = await toolboxFor(errand).turn([{ tool: "rm_rf", input: {} }], never);
    assert.equal(outcome?.outcome, "refused");
    assert.equal(host.commands.length, 0);
  });

  it("refuses input that the schema does not allow, and no command leaves", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.constantFrom("--help", "x; reboot", "$(id)", "a\nb", "", "`id`", "'"), fc.anything()),
        async (name) => {
          fc.pre(!(typeof name === "string" && /^[a-z][a-z0-9-]*$/.test(name)));
          const [outcome] = await toolboxFor(errand).turn([{ tool: "lamp_status", input: { name } }], never);
          assert.equal(outcome?.outcome, "refused");
        },
      ),
      { numRuns: 50 },
    );
    assert.equal(host.commands.length, 0);
  });

  it("refuses a host in the input: a tool cannot choose where it runs", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    const [outcome] = await toolboxFor(errand).turn(
      [{ tool: "lamp_status", input: { name: "lamp", host: "other" } }],
      never,
    );
    assert.equal(outcome?.outcome, "refused");
    assert.equal(host.commands.length, 0);
  });

  it("asks a diagnostic again after a lost link, once", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    let losses = 1;
    host.intercept = () => {
      if (losses-- > 0) throw transportError("ConnectionLost", true);
      return undefined;
    };
    const [outcome] = await toolboxFor(errand).turn([status], never);
    assert.equal(outcome?.outcome, "found");
    losses = 2;
    const [again] = await toolboxFor(errand).turn([status], never);
    assert.equal(again?.outcome, "unavailable");
  });

  it("does not ask again a diagnostic that was too slow", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    host.intercept = () => {
      throw transportError("CommandTimeout", true);
    };
    const [outcome] = await toolboxFor(errand).turn([status], never);
    assert.equal(outcome?.outcome, "unavailable");
    assert.equal(host.commands.length, 1);
  });

  it("reads sudo's own refusal as unavailable, never as the program's answer", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    host.intercept = () => ({ ...answer({ on: true, run: "1" }), stderr: "sudo: a password is required" });
    const [outcome] = await toolboxFor(errand).turn([status], never);
    assert.equal(outcome?.outcome, "unavailable");
  });

  it("takes an answer that the parser cannot read as unavailable", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    host.intercept = () => ({ exit: 0, stdout: "<html>", stderr: "", cutBytes: 0 });
    const [outcome] = await toolboxFor(errand).turn([status], never);
    assert.equal(outcome?.outcome, "unavailable");
  });

  it("bounds the reason of a diagnostic that cannot tell, and keeps its end", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    host.intercept = () => ({ exit: 1, stdout: "", stderr: `${"a.".repeat(500_000)}the end`, cutBytes: 0 });
    const [outcome] = await toolboxFor(errand).turn([status], never);
    assert.ok(JSON.stringify(outcome).length < 2500);
    assert.match(JSON.stringify(outcome), /the end/);
  });

  it("redacts what is kept, and gives plugins the exact finding", async () => {
    const { host, toolboxFor, errand, catalog } = toyAgent();
    host.intercept = () => answer({ on: true, run: "1", note: "password=hunter2secret" });
    const tools = toolboxFor(errand);
    const [outcome] = await tools.turn([status], never);
    assert.doesNotMatch(JSON.stringify(outcome), /hunter2secret/);
    const tool = catalog.tool("lamp_status");
    assert.ok(tool?.kind === "diagnostic");
    const seen = await tools.ask({ lamp: { tool, input: { name: "lamp" } } }, never);
    assert.match(JSON.stringify(seen), /hunter2secret/);
  });

  it("adds the plugin's advice to the text of a failed command", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    host.intercept = () => ({ exit: 1, stdout: "", stderr: "bulb burnt out", cutBytes: 0 });
    const [outcome] = await toolboxFor(errand).turn([status], never);
    assert.match(JSON.stringify(outcome), /bulb burnt out \(replace the bulb\)/);
  });
});

describe("the toolbox, fixing", () => {
  it("writes the intent before the command leaves, then the dispatch, then the verdict", async () => {
    const { host, events, toolboxFor, errand } = toyAgent();
    host.intercept = (argv) => {
      if (argv.at(-2) === "on") assert.deepEqual(kinds(events), ["diagnosed", "fix-started"]);
      return undefined;
    };
    const [outcome] = await toolboxFor(errand).turn([on], never);
    assert.equal(outcome?.outcome, "fixed");
    assert.deepEqual(kinds(events), ["diagnosed", "fix-started", "fix-dispatched", "fix-judged"]);
    assert.equal(host.count("on"), 1);
  });

  it("runs no step when the journal cannot be written", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    const broken = {
      ...errand,
      record: () => {
        throw new Error("disk full");
      },
    };
    await assert.rejects(toolboxFor(broken).turn([on], never), /disk full/);
    assert.equal(host.count("on"), 0);
  });

  it("refuses a fix whose precondition does not hold", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    host.lamps.set("lamp", { on: true, run: 1 });
    const [outcome] = await toolboxFor(errand).turn([on], never);
    assert.equal(outcome?.outcome, "refused");
    assert.equal(host.count("on"), 0);
  });

  it("refuses a fix that is blind before it", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    host.intercept = (argv) =>
      argv[1] === "status" ? { exit: 1, stdout: "", stderr: "no eyes", cutBytes: 0 } : undefined;
    const [outcome] = await toolboxFor(errand).turn([on], never);
    assert.equal(outcome?.outcome, "refused");
    assert.equal(host.count("on"), 0);
  });

  it("runs no step of a fix above the owner's trust, and says what it would have run", async () => {
    const { host, events, toolboxFor, errand } = toyAgent({ trust: "observe" });
    const [outcome] = await toolboxFor(errand).turn([on], never);
    assert.ok(outcome?.kind === "fix" && outcome.outcome === "refused");
    assert.deepEqual(outcome.planned?.steps, [["root", "lamp", "on", "lamp"]]);
    assert.equal(host.count("on"), 0);
    assert.deepEqual(kinds(events), ["diagnosed", "fix-refused"]);
  });

  it("runs the same fix when a person agreed", async () => {
    const { host, toolboxFor, errand } = toyAgent({ trust: "observe" });
    const [outcome] = await toolboxFor({ ...errand, approved: true }).turn([on], never);
    assert.equal(outcome?.outcome, "fixed");
    assert.equal(host.count("on"), 1);
  });

  it("runs no destructive fix without a person, whatever the trust", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    const [outcome] = await toolboxFor(errand).turn([{ tool: "lamp_smash", input: { name: "lamp" } }], never);
    assert.equal(outcome?.outcome, "refused");
    assert.equal(host.count("smash"), 0);
  });

  it("touches nothing that is protected, even when a person agreed", async () => {
    const { host, toolboxFor, errand } = toyAgent({ protect: ["la*"] });
    const [outcome] = await toolboxFor({ ...errand, approved: true }).turn([on], never);
    assert.equal(outcome?.outcome, "refused");
    assert.equal(host.count("on"), 0);
  });

  it("changes nothing in a dry run, and shows the steps", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    const [outcome] = await toolboxFor({ ...errand, dryRun: true }).turn([on], never);
    assert.ok(outcome?.kind === "fix" && outcome.planned !== undefined);
    assert.equal(host.count("on"), 0);
  });

  it("runs the fixes of one turn one at a time, after its diagnostics", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    host.lamps.set("hall", { on: false, run: 1 });
    let fixesInFlight = 0;
    host.intercept = async (argv) => {
      if (argv.at(-2) !== "on") return undefined;
      assert.equal(++fixesInFlight, 1);
      await new Promise((resolve) => setImmediate(resolve));
      fixesInFlight--;
      return undefined;
    };
    await toolboxFor(errand).turn([on, status, { tool: "lamp_on", input: { name: "hall" } }], never);
    assert.equal(host.count("on"), 2);
    assert.equal(host.commands[0]?.argv[1], "status");
  });

  it("runs one fix at a time per host, also for two incidents", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    host.lamps.set("hall", { on: false, run: 1 });
    let fixesInFlight = 0;
    let most = 0;
    host.intercept = async (argv) => {
      if (argv.at(-2) !== "on") return undefined;
      most = Math.max(most, ++fixesInFlight);
      await new Promise((resolve) => setTimeout(resolve, 5));
      fixesInFlight--;
      return undefined;
    };
    const hall = { ...errand, key: "toy-host/toy:hall" };
    await Promise.all([
      toolboxFor(errand).turn([on], never),
      toolboxFor(hall).turn([{ tool: "lamp_on", input: { name: "hall" } }], never),
    ]);
    assert.equal(most, 1);
    assert.equal(host.count("on"), 2);
  });

  it("never runs a fix again whose end is unknown, and refuses every other after it", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    host.intercept = (argv, { claim }) => {
      if (argv.at(-2) !== "on") return undefined;
      host.take(claim ?? "");
      throw transportError("ConnectionLost", true);
    };
    const tools = toolboxFor(errand);
    const [first] = await tools.turn([on], never);
    assert.equal(first?.outcome, "unknown");
    const [second] = await tools.turn([on], never);
    assert.equal(second?.outcome, "refused");
    assert.equal(host.count("on"), 1);
  });

  it("tries a fix that nothing proves once in an incident, and one with a marker again", async () => {
    const { marker: _, ...rest } = lampOn;
    const unproven = { ...toyPlugin, tools: [lampStatus, { ...rest, proof: "never-retry" as const }] };
    for (const [plugin, again, times] of [
      [unproven, "refused", 1],
      [toyPlugin, "not-fixed", 2],
    ] as const) {
      const { host, toolboxFor, errand } = toyAgent({ plugins: [plugin] });
      host.intercept = (argv, { claim }) => {
        if (argv.at(-2) !== "on") return undefined;
        host.take(claim ?? "");
        return answer({});
      };
      const tools = toolboxFor(errand);
      assert.equal((await tools.turn([on], never))[0]?.outcome, "not-fixed");
      assert.equal((await tools.turn([on], never))[0]?.outcome, again);
      assert.equal(host.count("on"), times);
    }
  });

  it("says failed when nothing left, and may be asked again", async () => {
    const { host, toolboxFor, errand } = toyAgent();
    let refusals = 1;
    host.intercept = (argv) => {
      if (argv.at(-2) === "on" && refusals-- > 0) throw transportError("ChannelRefused", false);
      return undefined;
    };
    const tools = toolboxFor(errand);
    assert.equal((await tools.turn([on], never))[0]?.outcome, "failed");
    assert.equal((await tools.turn([on], never))[0]?.outcome, "fixed");
  });

  it("stops at the limit of fixes for a service, and runs the one before it", async () => {
    const { host, parts, errand } = toyAgent();
    const { createToolboxes } = await import("../../core/agent/toolbox.ts");
    const withFixes = (service: number, hostCount: number) =>
      createToolboxes({ ...parts, fixesSince: () => ({ service, host: hostCount, all: hostCount }) })(errand);
    assert.equal((await withFixes(3, 3).turn([on], never))[0]?.outcome, "refused");
    assert.equal((await withFixes(2, 6).turn([on], never))[0]?.outcome, "refused");
    assert.equal(host.count("on"), 0);
    assert.equal((await withFixes(2, 5).turn([on], never))[0]?.outcome, "fixed");
  });

  it("runs nothing more of a service while another incident's fix of it has no known end, unless a person agreed", async () => {
    const { host, parts, errand } = toyAgent();
    const { createToolboxes } = await import("../../core/agent/toolbox.ts");
    const open = { tool: "lamp_on", incident: "i0" };
    const toolboxFor = createToolboxes({ ...parts, fixesSince: () => ({ service: 1, host: 1, all: 0, open }) });
    const [refused] = await toolboxFor(errand).turn([on], never);
    assert.match(JSON.stringify(refused), /refused.*"lamp_on\\" in incident i0 is not known/);
    assert.equal(host.count("on"), 0);
    assert.equal((await toolboxFor({ ...errand, approved: true }).turn([on], never))[0]?.outcome, "fixed");
  });

  it("begins nothing when maintenance began, or another fix took the last of a budget, while it looked once more", async () => {
    for (const [meanwhile, why] of [
      ["maintenance", /refused.*maintenance of the lamp/],
      ["other fixes", /refused.*20 fixes on all hosts together/],
      ["nothing", /fixed/],
    ] as const) {
      const { host, events, parts, errand } = toyAgent();
      const { createToolboxes } = await import("../../core/agent/toolbox.ts");
      // The folder of its claims is there, so the gates are behind it.
      const isNow = (what: string): boolean => what === meanwhile && host.claims.size > 0;
      const toolboxFor = createToolboxes({
        ...parts,
        maintenanceOf: () => (isNow("maintenance") ? "maintenance of the lamp" : undefined),
        fixesSince: () => ({ service: 0, host: 0, all: isNow("other fixes") ? 20 : 19 }),
      });
      const [outcome] = await toolboxFor(errand).turn([on], never);
      assert.match(JSON.stringify(outcome), why);
      assert.equal(kinds(events).includes("fix-started"), meanwhile === "nothing");
      assert.deepEqual([...host.claims], []);
    }
  });

  it("begins what a person agreed to, also when maintenance began while it looked once more; a yes is asked for once", async () => {
    const { host, parts, errand } = toyAgent({ trust: "observe" });
    const { createToolboxes } = await import("../../core/agent/toolbox.ts");
    const maintenanceOf = () => (host.claims.size > 0 ? "maintenance of the lamp" : undefined);
    let yes = 1;
    const agreedTo = () => yes-- > 0;
    const [outcome] = await createToolboxes({ ...parts, maintenanceOf })({ ...errand, agreedTo }).turn([on], never);
    assert.equal(outcome?.outcome, "fixed");
  });

  it("asks for the history of the service by the names that the plan touches", async () => {
    const { parts, errand } = toyAgent();
    const { createToolboxes } = await import("../../core/agent/toolbox.ts");
    const asked: unknown[] = [];
    const fixesSince = (...asking: unknown[]) => (asked.push(asking), { service: 0, host: 0, all: 0 });
    await createToolboxes({ ...parts, fixesSince })(errand).turn([on], never);
    assert.deepEqual((asked as unknown[][])[0]?.slice(0, 2), [
      "toy-host",
      { key: "toy-host/toy:lamp", touches: ["lamp"] },
    ]);
  });

  it("runs no fix of a plugin that the host does not have, also when its options have defaults", async () => {
    const { host, parts, errand } = toyAgent();
    const { createToolboxes } = await import("../../core/agent/toolbox.ts");
    const tools = createCatalog([toyPlugin], { "toy-host": { plugins: {} } });
    const toolbox = createToolboxes({ ...parts, tools })({ ...errand, approved: true });
    const [outcome] = await toolbox.turn([on], never);
    assert.match(JSON.stringify(outcome), /refused.*"toy\\" is not enabled/);
    assert.equal(host.commands.length, 0);
  });

  it("begins no fix when it is aborted while it looks", async () => {
    const { host, events, toolboxFor, errand } = toyAgent();
    const abort = new AbortController();
    host.intercept = () => {
      abort.abort(new Error("shutting down"));
      return undefined;
    };
    await assert.rejects(toolboxFor(errand).turn([on], abort.signal), /shutting down/);
    assert.equal(host.count("on"), 0);
    assert.ok(!kinds(events).includes("fix-started"));
  });
});
