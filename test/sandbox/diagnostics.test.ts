// Every diagnostic of every plugin, run in the sandbox as Medic would send it: the demo is only honest when the very
// scripts that go to real hosts run there, and their answers are read by the very parsers.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import * as v from "valibot";

import { packing } from "../../core/packing/packing.ts";
import { createCatalog } from "../../core/plugin/catalog.ts";
import type { Diagnostic } from "../../core/plugin/contract.ts";
import type { Clock } from "../../core/sandbox/clock.ts";
import { realClock } from "../../core/sandbox/clock.ts";
import type { Homelab } from "../../core/sandbox/homelab.ts";
import { createHomelab } from "../../core/sandbox/homelab.ts";
import { render } from "../../core/transport/quote.ts";

/** Tried in this order until a tool's schema takes one. */
const INPUTS: readonly object[] = [
  {},
  { name: "scrypted" },
  { name: "scrypted", seconds: 1 },
  { unit: "caddy.service" },
  { port: 10443 },
  { name: "localhost" },
  { target: "localhost" },
  { host: "localhost" },
  { address: "localhost", port: 10443 },
  { program: "uptime" },
];

/** What this homelab honestly cannot tell: Scrypted logs nowhere by default, and Debian 12's docker has no compose. */
const EXPECTED_UNAVAILABLE: Readonly<Record<string, RegExp>> = {
  docker_logs: /logging driver/,
  scrypted_logs: /logging driver/,
  docker_compose_config: /no compose plugin/,
};

/** The homelab's time runs so much faster than ours, so that its waits are short here and unchanged there. */
const FASTER = 5;
const begun = Date.now();
const clock: Clock = {
  now: () => begun + (Date.now() - begun) * FASTER,
  sleep: async (milliseconds, signal) => await realClock.sleep(milliseconds / FASTER, signal),
};

const hosts = { nexus: { plugins: { docker: {}, scrypted: {}, systemd: { units: ["caddy.service"] } } } };
const { plugins } = packing;
const catalog = createCatalog(plugins, hosts);
const diagnostics = plugins.flatMap(({ tools }) =>
  tools.filter((tool): tool is Diagnostic => tool.kind === "diagnostic"),
);

describe("the sandbox's homelab", () => {
  const ending = new AbortController();
  let homelab: Homelab;
  before(() => void (homelab = createHomelab(clock, ending.signal)));
  after(() => ending.abort(new Error("the test is over")));

  it("has plugins to try", () => assert.ok(diagnostics.length > 30));

  for (const privilege of ["none", "sudo"] as const) {
    for (const tool of diagnostics) {
      it(`answers ${tool.name} with privilege ${privilege}`, async () => {
        const { seen, stderr } = await ask(homelab, tool, privilege);
        const expected = EXPECTED_UNAVAILABLE[tool.name];
        if ("unavailable" in seen) assert.match(String(seen.unavailable), expected ?? /^$/, `${tool.name}: ${stderr}`);
        else assert.equal(expected, undefined);
        assert.doesNotMatch(stderr, /: not found|Syntax error|unexpected operator|Unknown|invalid|usage:/);
      });
    }
  }

  it("is seen to stop by every tool that looks at the container", async () => {
    assert.equal((await homelab.run("docker stop scrypted")).exit, 0);
    const status = await asked(homelab, "docker_status", { name: "scrypted" });
    assert.equal(status["running"], false);
    assert.equal(status["stoppedByPerson"], true);
    assert.equal((await asked(homelab, "scrypted_http_probe", {}))["answers"], false);
    assert.equal((await asked(homelab, "scrypted_status", {}))["running"], false);
    assert.equal((await asked(homelab, "docker_explain_exit", { name: "scrypted" }))["cause"], "stopped");
    const ports = (await asked(homelab, "scrypted_ports", {}))["ports"] as { listeners: unknown[] }[];
    assert.ok(ports.every(({ listeners }) => listeners.length === 0));
  });

  it("lets a stopped container be started by its id, and answers only some time after", async () => {
    const before = await asked(homelab, "docker_status", { name: "scrypted" });
    const { exit, stdout } = await homelab.run(`docker restart -t 30 -- ${String(before["id"])}`);
    assert.deepEqual({ exit, stdout }, { exit: 0, stdout: `${String(before["id"])}\n` });
    assert.equal((await asked(homelab, "scrypted_http_probe", {}))["answers"], false);
    await clock.sleep(1200);
    assert.equal((await asked(homelab, "scrypted_http_probe", {}))["answers"], true);
    const after = await asked(homelab, "docker_status", { name: "scrypted" });
    assert.equal(after["running"], true);
    assert.notEqual(after["startedAt"], before["startedAt"]);
  });

  it("leaves the other containers alone", async () => {
    for (const name of ["postgres", "mosquitto", "scrypted-watchtower"]) {
      const status = await asked(homelab, "docker_status", { name });
      assert.ok(Number(status["ageSeconds"]) > 86_400);
    }
  });

  it("starts a crashed unit with a new invocation, as root only", async () => {
    const unit = homelab.systemd.find("caddy.service");
    assert.ok(unit !== undefined);
    const before = unit.invocation;
    homelab.systemd.crash(unit, 1);
    assert.equal((await asked(homelab, "systemd_status", { unit: "caddy.service" }))["active"], "failed");
    assert.equal((await execute(homelab, "systemctl restart -- caddy.service")).exit, 1);
    assert.equal((await execute(homelab, "sudo -n systemctl restart -- caddy.service")).exit, 0);
    const status = await asked(homelab, "systemd_status", { unit: "caddy.service" });
    assert.equal(status["active"], "active");
    assert.notEqual(status["invocation"], before);
  });

  it("kills what runs past its limit on the host, and lets what is in time end", async () => {
    assert.equal((await execute(homelab, "timeout -s KILL 1 sleep 50")).exit, 137);
    assert.equal((await execute(homelab, "timeout -s KILL 20 sleep 1")).exit, 0);
  });

  it("restarts a container whose client was killed in the middle, as docker does", async () => {
    const before = homelab.docker.find("mosquitto")?.state.startedAt;
    assert.equal((await execute(homelab, "timeout -s KILL 0.02 docker restart mosquitto")).exit, 137);
    assert.equal(homelab.docker.find("mosquitto")?.state.startedAt, before);
    await clock.sleep(600);
    assert.notEqual(homelab.docker.find("mosquitto")?.state.startedAt, before);
    assert.equal(homelab.docker.find("mosquitto")?.state.status, "running");
  });
});

async function asked(homelab: Homelab, name: string, input: object): Promise<Record<string, unknown>> {
  const tool = diagnostics.find((one) => one.name === name);
  assert.ok(tool !== undefined, name);
  return (await ask(homelab, tool, "none", [input])).seen;
}

async function ask(homelab: Homelab, tool: Diagnostic, privilege: "none" | "sudo", inputs = INPUTS) {
  const valid = inputs.map((input) => v.safeParse(tool.input, input)).find((parsed) => parsed.success);
  assert.ok(valid !== undefined, `no input fits ${tool.name}`);
  const given = catalog.optionsFor(tool.name, "nexus");
  const options: unknown = "options" in given ? given.options : given;
  const command = tool.command(valid.output, options);
  assert.ok(!("refused" in command), tool.name);
  const result = await execute(homelab, render(command, { privilege, killAfterSeconds: tool.timeoutSeconds ?? 20 }));
  const seen = tool.parse({ ...result, cutBytes: 0 }, valid.output, options) as Record<string, unknown>;
  return { seen, stderr: result.stderr };
}

async function execute(homelab: Homelab, commandLine: string) {
  const said = { stdout: "", stderr: "" };
  const exit = await homelab.execute(commandLine, {
    user: "medic",
    stdout: { write: (text) => void (said.stdout += text) },
    stderr: { write: (text) => void (said.stderr += text) },
    signal: new AbortController().signal,
  });
  return { exit, ...said };
}
