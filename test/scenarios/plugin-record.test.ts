// Recording a case from a host, as a plugin's author does it: the sandbox is the host, the command line is the real one.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { parseCases } from "../../core/plugin/cases.ts";
import { startScenario } from "../support/scenario.ts";

const root = await mkdtemp(join(tmpdir(), "medic-record-"));
after(() => rm(root, { recursive: true, force: true }));

/** A scenario with a plugin of its own for caddy, which the sandbox runs as caddy.service. */
async function withCaddy() {
  const scenario = await startScenario();
  const plugins = await mkdtemp(join(root, "plugins-"));
  await scenario.medic("plugin", "new", "caddy", "--in", plugins);
  const folder = join(plugins, "caddy");
  const hosts = join(scenario.folder, "hosts.yaml");
  await writeFile(hosts, `pluginFolders: [${plugins}]\n${await readFile(hosts, "utf8")}      caddy: {}\n`);
  return Object.assign(scenario, { plugin: folder });
}

describe("medic plugin record", () => {
  it("writes what a host answers as a case that holds, with its date and versions", async () => {
    await using scenario = await withCaddy();
    const { code, stderr } = await scenario.medic(
      "plugin",
      "record",
      "nexus",
      "caddy_status",
      "--case",
      "it runs on nexus",
      "--versions",
      "systemd=252",
    );
    assert.equal(code, 0, stderr);
    const text = await readFile(join(scenario.plugin, "cases", "recorded-caddy_status.yaml"), "utf8");
    assert.match(text, /date: \d{4}-\d\d-\d\d\n {2}versions:\n {4}kernel: Linux .*\n {4}systemd: "?252"?\n/);
    const { cases, problems } = parseCases("recorded.yaml", text);
    assert.deepEqual(problems, []);
    const [one] = cases;
    assert.ok(one !== undefined && "tool" in one);
    assert.equal(one.tool.name, "it runs on nexus");
    assert.equal(one.tool.finding?.["active"], "active");
    const tested = await scenario.medic("plugin", "test", scenario.plugin);
    assert.equal(tested.code, 0, tested.stdout);
  });

  it("writes over nothing: the second recording is a file of its own, and a named one is refused", async () => {
    await using scenario = await withCaddy();
    const ask = ["plugin", "record", "nexus", "caddy_status"];
    await scenario.medic(...ask);
    await scenario.medic(...ask);
    const files = await readdir(join(scenario.plugin, "cases"));
    assert.deepEqual(files.toSorted(), ["caddy.yaml", "recorded-caddy_status-2.yaml", "recorded-caddy_status.yaml"]);
    const { code, stderr } = await scenario.medic(...ask, "--out", join(scenario.plugin, "cases", "caddy.yaml"));
    assert.equal(code, 2);
    assert.match(stderr, /is there already/);
  });

  it("records of a fix what it watches and would plan, and changes nothing", async () => {
    await using scenario = await withCaddy();
    await scenario.sandbox.homelab.run("systemctl stop caddy.service");
    const { code, stderr } = await scenario.medic("plugin", "record", "nexus", "caddy_start", "--case", "stopped");
    assert.equal(code, 0, stderr);
    const { cases } = parseCases("x", await readFile(join(scenario.plugin, "cases", "recorded-caddy_start.yaml"), "utf8")); // prettier-ignore
    const tools = cases.flatMap((one) => ("tool" in one ? [one.tool] : []));
    assert.deepEqual(
      tools.map(({ tool }) => tool),
      ["caddy_status", "caddy_start"],
    );
    assert.deepEqual(tools[1]?.plan?.steps, [["root", "systemctl", "start", "--", "caddy.service"]]);
    const tested = await scenario.medic("plugin", "test", scenario.plugin);
    assert.equal(tested.code, 0, tested.stdout);
    const { finding } = (await scenario.medicJson("tool", "nexus", "caddy_status")) as { finding: { active: string } };
    assert.equal(finding.active, "inactive");
  });

  it("takes the tool's own input, and replaces secrets in the answer", async () => {
    await using scenario = await withCaddy();
    const out = join(root, "inspect.yaml");
    const input = ["--program", "cat", "--arguments", "/var/log/caddy.env"];
    scenario.sandbox.homelab.files.add("/var/log/caddy.env", "API_TOKEN=hunter2hunter2\n");
    const { code, stderr } = await scenario.medic("plugin", "record", "nexus", "host_inspect", ...input, "--out", out);
    assert.equal(code, 0, stderr);
    const text = await readFile(out, "utf8");
    assert.match(text, /API_TOKEN=\[/);
    assert.doesNotMatch(text, /hunter2/);
  });

  for (const [what, args, code, why] of [
    ["a host that is none", ["nobody", "caddy_status"], 2, /no such host/],
    ["a tool that is none", ["nexus", "caddy_statsu"], 2, /no tool is called so/],
    ["an input that the tool does not take", ["nexus", "docker_status", "--name=--help"], 2, /--name/],
    ["versions without a version", ["nexus", "caddy_status", "--versions", "caddy"], 2, /expected name=version/],
  ] as const) {
    it(`refuses ${what}, and writes nothing`, async () => {
      await using scenario = await withCaddy();
      const told = await scenario.medic("plugin", "record", ...args);
      assert.equal(told.code, code, told.stderr);
      assert.match(told.stderr, why);
      assert.deepEqual(await readdir(join(scenario.plugin, "cases")), ["caddy.yaml"]);
    });
  }

  it("records nothing of a host that gives no answer", async () => {
    await using scenario = await withCaddy();
    const hosts = join(scenario.folder, "hosts.yaml");
    // Nobody listens on port 1.
    await writeFile(hosts, (await readFile(hosts, "utf8")).replace(/port: \d+/, "port: 1"));
    const { code, stderr } = await scenario.medic("plugin", "record", "nexus", "caddy_status");
    assert.equal(code, 3);
    assert.match(stderr, /Cannot record "caddy_status"/);
    assert.deepEqual(await readdir(join(scenario.plugin, "cases")), ["caddy.yaml"]);
  });
});
