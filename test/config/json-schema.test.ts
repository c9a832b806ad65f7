import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { configJsonSchema } from "../../core/config/json-schema.ts";
import { loadConfig } from "../../core/config/load.ts";
import { read } from "./reading.ts";

const root = new URL("../../", import.meta.url);

type Node = { [key: string]: unknown; properties?: Record<string, Node>; anyOf?: Node[]; items?: Node };

/** Every property below a schema, with its path. */
function properties(schema: Node, path = ""): [string, Node][] {
  const here = Object.entries(schema.properties ?? {}).flatMap(([key, inner]): [string, Node][] => {
    const at = path === "" ? key : `${path}.${key}`;
    return [[at, inner], ...properties(inner, at)];
  });
  const inside = [...(schema.anyOf ?? []), ...(schema.items === undefined ? [] : [schema.items])];
  const more = schema["additionalProperties"];
  if (typeof more === "object" && more !== null) inside.push(more as Node);
  return [...here, ...inside.flatMap((inner) => properties(inner, path))];
}

function described(schema: Node): boolean {
  return typeof schema["description"] === "string" || (schema.anyOf ?? []).some(described);
}

describe("docs/hosts.schema.json", () => {
  it("is what the schema says now", async () => {
    const written: unknown = JSON.parse(await readFile(new URL("docs/hosts.schema.json", root), "utf8"));
    assert.deepEqual(written, JSON.parse(JSON.stringify(configJsonSchema())), "run npm run generate");
  });

  it("describes every setting", () => {
    const all = properties(configJsonSchema() as Node);
    assert.ok(all.length > 60);
    assert.deepEqual(
      all.filter(([, schema]) => !described(schema)).map(([path]) => path),
      [],
    );
  });

  it("describes what a person writes, not what comes out of it", () => {
    const all = new Map(properties(configJsonSchema() as Node));
    assert.equal(all.get("server.listen")?.["type"], "string");
    assert.equal(all.get("pool.dialTimeout")?.["default"], "10s");
    assert.ok(all.has("responder.apiKeyFile") && all.has("hosts.passphraseFile"));
  });

  it("has only patterns that editors can compile", () => {
    const patterns = JSON.stringify(configJsonSchema()).match(/"pattern":"(?:[^"\\]|\\.)*"/g) ?? [];
    assert.ok(patterns.length > 10);
    for (const one of patterns)
      assert.doesNotThrow(() => new RegExp((JSON.parse(`{${one}}`) as { pattern: string }).pattern, "u"));
  });
});

describe("the checked-in hosts.yaml", () => {
  it("is in order, and shows every section", () => {
    const { config } = loadConfig(new URL("hosts.yaml", root).pathname, { env: {}, home: "/home/ada" });
    assert.deepEqual(Object.keys(config.hosts), ["nexus", "self"]);
    assert.equal(config.hosts["nexus"]?.trust, "observe");
    const sections = Object.keys((configJsonSchema() as Node).properties ?? {});
    assert.deepEqual(
      sections.filter((section) => !(section in config)),
      [],
    );
  });

  it("stays in order when its commented examples are taken in", async () => {
    const text = await readFile(new URL("hosts.yaml", root), "utf8");
    const everything = text.replace(/^( +)# ( *(?:- )?[a-zA-Z0-9]+:(?: |$))/gm, "$1$2");
    const env = {
      ANTHROPIC_API_KEY: "k",
      MEDIC_KEY_PASSPHRASE: "p",
      NTFY_TOKEN: "t",
      MEDIC_WEBHOOK_SECRET: "s",
      MEDIC_HEARTBEAT_URL: "https://switch.example/ping",
    };
    const config = read(everything, { mode: 0o644, env });
    assert.deepEqual(
      config.notify.map(({ name }) => name),
      ["ntfy", "automation"],
    );
    assert.equal(config.server.tokens[0]?.name, "alertmanager");
    assert.equal(config.alerts.generic?.key, "monitor.id");
    assert.deepEqual(config.heartbeat, { url: "https://switch.example/ping", every: 60 });
    assert.equal(config.limits.stable, 30);
    assert.equal(config.responder.apiKey, "k");
    const { passphrase, agent, hostKey } = config.hosts["nexus"] ?? {};
    assert.deepEqual([passphrase, agent, hostKey], ["p", true, `SHA256:${"A".repeat(43)}`]);
  });
});
