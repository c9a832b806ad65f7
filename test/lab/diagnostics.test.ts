// Every diagnostic of every plugin against a real host, with the sudoers of the lab and with exactly the lines that
// `medic doctor --sudoers` prints: each finds something, or says honestly why it cannot.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import * as v from "valibot";
import { diagnose } from "../../core/agent/diagnosis.ts";
import { equip } from "../../core/cli/config-file.ts";
import { loadConfig } from "../../core/config/load.ts";
import type { Asked } from "../../core/incident/incident.ts";
import { silent } from "../../core/log.ts";
import type { Catalog } from "../../core/plugin/catalog.ts";
import { createTransport, type Transport } from "../../core/transport/pool.ts";
import { inHost } from "../../scripts/lab/lab.ts";
import { medicSudoers } from "../../scripts/lab/units.ts";
import { ownMedic, type OwnMedic } from "../../scripts/lab/own-medic.ts";
import { installSudoers, restoreScrypted } from "./real-host.ts";

const host = "vega";

/** Tried in this order until a tool's schema takes one. */
const inputs: readonly object[] = [
  {},
  { name: "scrypted" },
  { name: "scrypted", seconds: 1 },
  { unit: "lab-web.service" },
  { port: 10443 },
  { program: "uptime" },
  { address: "localhost", port: 10443 },
];
/** Where the first that fits says less than another, or takes long. */
const better: Readonly<Record<string, object>> = {
  docker_restart_loop: { name: "scrypted", seconds: 1 },
  host_dns: { name: host },
};

/** What a lab host cannot tell, and why: any other "unavailable" is a fault. */
const unavailable: Readonly<Record<string, RegExp>> = {
  docker_logs: /the logging driver of "scrypted" is "none"/,
  scrypted_logs: /the logging driver of "scrypted" is "none"/,
  // A container has no kernel log of its own, and may not read its machine's.
  host_kernel_log: /dmesg: read kernel buffer failed: Operation not permitted/,
};

describe("the diagnostics", { timeout: 120_000 }, () => {
  let medic: OwnMedic;
  let catalog: Catalog;
  let transport: Transport;
  before(async () => {
    await restoreScrypted(host);
    medic = await ownMedic();
    const loaded = loadConfig(medic.configFile, { env: {}, home: medic.folder, shownAs: "hosts.yaml" });
    ({ catalog } = await equip(loaded));
    transport = createTransport(loaded.config.hosts, { log: silent });
  });
  after(async () => {
    await transport.close();
    await medic.remove();
    await installSudoers(host, medicSudoers());
  });

  const ask = async (tool: string, input: object): Promise<Asked> => {
    const parts = { reach: transport, tools: catalog, limits: { findingBytes: 65_536 }, now: Date.now };
    return (await diagnose(parts, host, { tool, input }, new AbortController().signal)).asked;
  };
  const askAll = (): Promise<Asked[]> => {
    const tools = catalog.toolsOn(host).flatMap(({ tool }) => (tool.kind === "diagnostic" ? [tool] : []));
    assert.ok(tools.length > 35, `${tools.length} diagnostics`);
    return Promise.all(
      tools.map((tool) => {
        const input = better[tool.name] ?? inputs.find((each) => v.safeParse(tool.input, each).success);
        assert.ok(input !== undefined, `no input fits ${tool.name}`);
        return ask(tool.name, input);
      }),
    );
  };
  const judge = (asked: readonly Asked[]): void => {
    const wrong = asked.filter((each) =>
      each.outcome === "found" ? each.tool in unavailable : !unavailable[each.tool]?.test(each.why),
    );
    assert.deepEqual(wrong, []);
  };

  it("answer on a real host, each with a finding or with an honest reason", async () => judge(await askAll()));

  it("find what is there", async () => {
    const findings = async (tool: string, input: object) => {
      const asked = await ask(tool, input);
      assert.equal(asked.outcome, "found", JSON.stringify(asked));
      return JSON.stringify(asked.outcome === "found" ? asked.finding : {});
    };
    assert.match(await findings("docker_logs", { name: "mosquitto" }), /"lines":/);
    assert.match(await findings("scrypted_http_probe", {}), /"answers":true,"code":200/);
    assert.match(await findings("scrypted_detect", {}), /"install":"compose"/);
    assert.match(await findings("scrypted_plugin_processes", {}), /@scrypted\/core/);
    assert.match(await findings("systemd_journal", { unit: "lab-web.service" }), /served \d+ requests/);
    assert.match(await findings("systemd_status", { unit: "lab-web.service" }), /"active":"active"/);
    assert.match(await findings("host_overview", {}), /"name":"vega"/);
    assert.match(await findings("host_port_owner", { port: 10443 }), /"free":false/);
    assert.match(await findings("docker_status", { name: "scrypte" }), /"exists":false/);
    assert.match(await findings("systemd_status", { unit: "lab-nothing.service" }), /"exists":false/);
  });

  it("answer the same with exactly the lines that doctor prints for sudo", async () => {
    const { exit, stdout: lines } = await medic.verb("doctor", host, "--sudoers");
    assert.equal(exit, 0);
    await installSudoers(host, lines);
    judge(await askAll());

    const asMedic = (line: string) => inHost(host, ["su", "medic", "-c", line]);
    assert.equal((await asMedic("sudo -n systemctl restart -- lab-null.service")).exit, 0);
    for (const line of [
      "sudo -n systemctl restart -- ssh.service",
      "sudo -n systemctl restart -- lab-null.service ssh.service",
      "sudo -n docker run --rm eclipse-mosquitto:2 true",
      "sudo -n timeout -s KILL 20 sh -c id",
      "sudo -n timeout -s KILL 20 docker rm -f mosquitto",
    ]) {
      assert.match((await asMedic(line)).stderr, /a password is required/, line);
    }
  });

  it("say that sudo refused them, where it does, and find nothing empty", async () => {
    await installSudoers(host, "");
    const asked = await Promise.all([ask("docker_list", {}), ask("scrypted_ports", {}), ask("scrypted_status", {})]);
    for (const each of asked) assert.match(each.outcome === "unavailable" ? each.why : "", /^sudo: /, each.tool);
  });
});
