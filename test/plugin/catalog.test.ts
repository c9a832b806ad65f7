import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { createCatalog } from "../../core/plugin/catalog.ts";
import {
  call,
  definePlugin,
  diagnostic,
  runbook,
  type Decision,
  type Incident,
  type Inquiry,
  type Plugin,
} from "../../core/plugin/contract.ts";

function plugin(name: string, bend: Partial<Plugin> = {}): Plugin {
  const status = diagnostic({
    name: `${name}_status`,
    description: `How ${name} is.`,
    input: v.strictObject({ name: v.pipe(v.string(), v.regex(/^[a-z]+$/)) }),
    command: () => [name],
    parse: () => ({ well: true }),
  });
  return {
    ...definePlugin({
      name,
      apiVersion: 1,
      summary: name,
      options: v.strictObject({ heals: v.optional(v.array(v.string()), ["*"]), depth: v.optional(v.number(), 1) }),
      tools: [status],
      runbooks: [
        runbook({
          title: `${name} is down`,
          guidance: "Look.",
          when: () => true,
          *decide(): Inquiry<Decision> {
            return { escalate: name };
          },
        }),
      ],
      heals: ({ heals }) => heals,
      evidence: () => ({ status: call(status, { name: "x" }) }),
      hints: [[/permission denied/, `ask ${name}'s owner`]],
      sudoers: () => [`/usr/bin/${name}`],
    }),
    ...bend,
  };
}

const general = plugin("docker");
const special = plugin("scrypted", { heals: () => ["scrypted"], owns: () => ["scrypted"] });
const host = plugin("host", { heals: () => [] });
const vital = plugin("vital", { options: v.strictObject({ url: v.string() }), heals: () => [] });

function incident(service: string | undefined): Incident {
  return {
    host: "nexus",
    service,
    alert: { name: "Down", labels: {}, annotations: {}, startsAt: "2026-11-23T12:00:00Z" },
    attempts: [],
  };
}

const catalog = createCatalog([general, special, host, vital], {
  nexus: { plugins: { docker: {}, scrypted: null } },
  bare: { plugins: {} },
});

describe("the catalog", () => {
  it("takes the defaults for a plugin that is only named", () => {
    assert.deepEqual(catalog.problems, []);
    assert.deepEqual(catalog.optionsFor("scrypted_status", "nexus"), { options: { heals: ["*"], depth: 1 } });
  });

  it("says which plugin was meant, with the path to it", () => {
    const { problems } = createCatalog([general, host], { nexus: { plugins: { dokcer: {} } } });
    assert.deepEqual(problems, [
      {
        path: ["hosts", "nexus", "plugins", "dokcer"],
        message: 'no plugin is called "dokcer": did you mean "docker"?',
      },
    ]);
  });

  it("lists the plugins when none is near", () => {
    const { problems } = createCatalog([general, host], { nexus: { plugins: { zfs: {} } } });
    assert.equal(problems[0]?.message, 'no plugin is called "zfs": there are docker, host');
  });

  it("says which option was meant, and what is wrong with another", () => {
    const { problems, enabledOn } = wrongOptions();
    assert.deepEqual(
      problems.map(({ path, message }) => `${path.join(".")}: ${message}`),
      [
        'hosts.nexus.plugins.docker.depth: Invalid type: Expected number but received "deep"',
        'hosts.nexus.plugins.docker.heal: unknown option "heal": did you mean "heals"?',
      ],
    );
    assert.deepEqual(enabledOn, ["host"]);
  });

  it("has the plugin host on every host, and no other that was not asked for", () => {
    assert.deepEqual(
      catalog.toolsOn("bare").map(({ tool }) => tool.name),
      ["host_status"],
    );
    assert.deepEqual(
      catalog.toolsOn("nexus").map(({ tool }) => tool.name),
      ["docker_status", "host_status", "scrypted_status"],
    );
    assert.deepEqual(catalog.toolsOn("unknown"), []);
  });

  it("gives a plugin that is not enabled its defaults, but never a guess for a vital option", () => {
    assert.deepEqual(catalog.optionsFor("docker_status", "bare"), { options: { heals: ["*"], depth: 1 } });
    const without = catalog.optionsFor("vital_status", "bare");
    assert.match("unavailable" in without ? without.unavailable : "", /needs the plugin "vital" in hosts.yaml/);
  });

  it("gives JSON Schema of what a tool takes", () => {
    const schema = catalog.jsonSchema("docker_status") as { properties: object; additionalProperties: boolean };
    assert.deepEqual(schema.properties, { name: { type: "string", pattern: "^[a-z]+$" } });
    assert.equal(schema.additionalProperties, false);
  });

  it("leaves a service to the plugin that owns it, and others to the general one", () => {
    assert.equal(catalog.healerOf("nexus", "scrypted"), "scrypted");
    assert.equal(catalog.healerOf("nexus", "postgres"), "docker");
    assert.equal(catalog.healerOf("bare", "postgres"), undefined);
  });

  it("does not guess between two plugins with the same claim", () => {
    const two = createCatalog([general, plugin("podman")], { nexus: { plugins: { docker: {}, podman: {} } } });
    assert.equal(two.healerOf("nexus", "postgres"), undefined);
  });

  it("prefers an exact name to a long glob, and that to a star", () => {
    const plugins = { docker: {}, podman: { heals: ["post*"] }, lxc: { heals: ["postgres"] } };
    const three = createCatalog([general, plugin("podman"), plugin("lxc")], { nexus: { plugins } });
    assert.equal(three.healerOf("nexus", "postgres"), "lxc");
    assert.equal(three.healerOf("nexus", "postbox"), "podman");
    assert.equal(three.healerOf("nexus", "redis"), "docker");
  });

  it("knows who owns a name", () => {
    assert.deepEqual(catalog.ownersOf("nexus", "scrypted"), ["scrypted"]);
    assert.deepEqual(catalog.ownersOf("nexus", "postgres"), []);
    assert.deepEqual(catalog.ownersOf("bare", "scrypted"), []);
  });

  it("asks the runbooks of the plugin that heals the service, and of no other", () => {
    assert.deepEqual(
      catalog.runbooksFor(incident("scrypted")).map(({ title }) => title),
      ["scrypted is down"],
    );
    assert.deepEqual(
      catalog.runbooksFor(incident("redis")).map(({ title }) => title),
      ["docker is down"],
    );
    assert.deepEqual(
      catalog.runbooksFor(incident("redis"), "scrypted").map(({ title }) => title),
      ["scrypted is down"],
    );
  });

  it("asks the runbooks of the plugin that the owner's rule named, also where another would heal the service", () => {
    const named = { ...incident("scrypted"), plugin: "docker" };
    assert.deepEqual(
      catalog.runbooksFor(named).map(({ title }) => title),
      ["docker is down"],
    );
    const two = createCatalog([general, plugin("podman")], { nexus: { plugins: { docker: {}, podman: {} } } });
    const titles = (more: { plugin?: string }) =>
      two.runbooksFor({ ...incident("postgres"), ...more }).map(({ title }) => title);
    assert.deepEqual(titles({ plugin: "podman" }), ["podman is down"]);
  });

  it("asks all that apply to an alert about the host itself", () => {
    assert.equal(catalog.runbooksFor(incident(undefined)).length, 3);
  });

  it("gathers the healing plugin's evidence and the host's own", () => {
    assert.deepEqual(
      catalog.evidenceFor(incident("scrypted")).map(({ tool }) => tool.name),
      ["scrypted_status", "host_status"],
    );
    assert.deepEqual(
      catalog.evidenceFor(incident(undefined)).map(({ tool }) => tool.name),
      ["host_status"],
    );
  });

  it("asks no evidence twice", () => {
    const twice = plugin("lxc", { evidence: host.evidence as NonNullable<Plugin["evidence"]> });
    const one = createCatalog([twice, host], { nexus: { plugins: { lxc: {} } } });
    assert.equal(one.evidenceFor(incident("x")).length, 1);
  });

  it("has advice for what a tool's plugin knows, and none for the rest", () => {
    assert.equal(catalog.hintFor("docker_status", "permission denied: /var/run"), "ask docker's owner");
    assert.equal(catalog.hintFor("docker_status", "no space left"), undefined);
  });

  it("gives the sudoers lines of what a host has", () => {
    assert.deepEqual(catalog.sudoersOf("bare"), { reads: ["/usr/bin/host"], fixes: ["/usr/bin/host"] });
  });

  it("knows no tool by a name that is none", () => {
    assert.equal(catalog.tool("reboot"), undefined);
    assert.equal(catalog.tool("constructor"), undefined);
    assert.throws(() => catalog.pluginOf("reboot"), /No tool is called "reboot"/);
  });
});

function wrongOptions() {
  const wrong = createCatalog([general, host], { nexus: { plugins: { docker: { depth: "deep", heal: [] } } } });
  return { problems: wrong.problems, enabledOn: wrong.enabledOn("nexus").map((one) => one.plugin.name) };
}
