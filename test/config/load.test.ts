import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { complaints, problemsOf, read, self } from "./reading.ts";

const nexus = (more = "") => `hosts:
  nexus:
    address: 192.0.2.11
    user: medic
    identity: ~/.ssh/medic_ed25519
${more}`;

describe("hosts.yaml", () => {
  it("fills in every default", () => {
    const config = read(nexus());
    assert.deepEqual(config.server, {
      listen: { host: "127.0.0.1", port: 8484 },
      tokens: [],
      data: "/home/ada/.local/share/medic",
      retain: 400 * 86_400,
    });
    assert.deepEqual(config.limits, {
      incidents: 4,
      queue: 200,
      incident: 1800,
      alertBytes: 1_048_576,
      requestsPerMinute: 6000,
      failedLoginsPerMinute: 60,
      fixesPerService: 3,
      fixesPerHost: 6,
      fixesInAll: 20,
      breakerServices: 2,
      breakerWindow: 600,
      notifyWithin: 86_400,
      fixWindow: 3600,
      quiet: 3600,
      clearWithin: 900,
      recurWithin: 3600,
      findingBytes: 65_536,
    });
    assert.deepEqual(config.responder, {
      order: ["runbook", "claude"],
      model: "claude-opus-5-5",
      turns: 12,
      outputTokens: 8192,
      tokens: 200_000,
      dollars: 1,
      breaks: 3,
      rest: 300,
      requestTimeout: 120,
    });
    assert.deepEqual(config.hosts["nexus"], {
      name: "nexus",
      transport: "ssh",
      address: "192.0.2.11",
      port: 22,
      user: "medic",
      identity: "/home/ada/.ssh/medic_ed25519",
      knownHosts: "/home/ada/.ssh/known_hosts",
      privilege: "none",
      trust: "observe",
      protect: [],
      maintenance: [],
      pool: config.pool,
      plugins: {},
    });
  });

  it("puts a host's pool over the global one, setting by setting", () => {
    const config = read(`pool: { idleTimeout: 1m, queue: 7 }\n${nexus("    pool: { idleTimeout: 0 }")}`);
    assert.equal(config.pool.idleTimeout, 60);
    assert.equal(config.hosts["nexus"]?.pool.idleTimeout, 0);
    assert.equal(config.hosts["nexus"]?.pool.queue, 7);
    assert.equal(config.hosts["nexus"]?.pool.dialTimeout, 10);
  });

  it("takes a section without content, and a plugin without options, as their defaults", () => {
    const config = read(`limits:\npool:\n${nexus("    plugins:\n      docker:\n")}`);
    assert.equal(config.limits.incidents, 4);
    assert.deepEqual(config.hosts["nexus"]?.plugins, { docker: {} });
  });

  it("reads ~/ from home and other paths from the file's folder", () => {
    const config = read(`server: { data: data }\npluginFolders: [~/plugins, /opt/p, ../q]\n${self}`);
    assert.equal(config.server.data, "/etc/medic/data");
    assert.deepEqual(config.pluginFolders, ["/home/ada/plugins", "/opt/p", "/etc/q"]);
  });

  it("names all that is wrong, each with its line, in the order of the file", () => {
    const text = `pool: { idle_timeout: 5m }
hosts:
  nexus:
    address: 192.0.2.11
    user: medic
    identity: ~/.ssh/k
    trsut: observe
    trust: observ
    colour: red
  self: { transport: local, port: 22 }
`;
    assert.deepEqual(complaints(text), [
      'hosts.yaml:1:9 pool.idle_timeout: unknown key, did you mean "idleTimeout"?',
      'hosts.yaml:7:5 hosts.nexus.trsut: unknown key, did you mean "trust"?',
      'hosts.yaml:8:12 hosts.nexus.trust: expected observe or reversible or disruptive, got "observ", did you mean "observe"?',
      "hosts.yaml:9:5 hosts.nexus.colour: unknown key",
      "hosts.yaml:10:35 hosts.self.port: is for hosts reached over ssh: remove it, or transport: local",
    ]);
  });

  const refused: [string, string, RegExp][] = [
    ["no host", "hosts: {}", /hosts: expected at least one host, got a mapping/],
    ["no hosts section", "limits: {}", /hosts: is missing/],
    ["a list of hosts", "hosts:\n  - address: x\n", /hosts: expected a mapping \(name: value\), got a list/],
    ["text for the whole file", "hello", /expected a mapping, got "hello"/],
    ["a host without a body", "hosts:\n  nexus:\n", /hosts\.nexus: expected a mapping, but nothing is written there/],
    ["an ssh host without an address", "hosts: { a: { user: u, identity: k } }", /a\.address: is missing/],
    ["an ssh host without a user", "hosts: { a: { address: h, identity: k } }", /a\.user: is missing/],
    ["an ssh host without a key", "hosts: { a: { address: h, user: u } }", /a\.identity: is missing.*agent: true/],
    [
      "agent: false in place of a key",
      "hosts: { a: { address: h, user: u, agent: false } }",
      /a\.identity: is missing/,
    ],
    ["a passphrase without a key", "hosts: { a: { address: h, user: u, agent: true, passphrase: p } }", /no identity/],
    [
      "an address with a port",
      nexus().replace("192.0.2.11", "192.0.2.11:22"),
      /address: expected a host name.*keys of/,
    ],
    ["an address with a user", nexus().replace("192.0.2.11", "a@192.0.2.11"), /address: expected/],
    ["an address like an option", nexus().replace("192.0.2.11", "-oProxyCommand=x"), /address: expected/],
    ["a user like an option", nexus().replace("medic\n", "-l\n"), /user: expected a user's name/],
    ["a host name with a slash", "hosts: { a/b: { transport: local } }", /hosts\["a\/b"\]: expected a host name/],
    ["a host name of a dash", 'hosts: { "-": { transport: local } }', /hosts\.-: expected a host name/],
    ["a host name of digits", "hosts: { 7: { transport: local } }", /hosts\.7: expected a host name/],
    ["a host name that objects have", "hosts: { constructor: { transport: local } }", /"constructor" cannot be a key/],
    [
      "somebody else's home",
      nexus().replace("~/.ssh", "~bob/.ssh"),
      /identity: expected a path \(of homes only your own/,
    ],
    ["a short fingerprint", nexus("    hostKey: SHA256:abc\n"), /hostKey: expected a fingerprint/],
    [
      "a regular expression as glob",
      nexus('    protect: ["db[0-9]"]\n'),
      /protect\[0\]: expected a name, with \* and \?/,
    ],
    [
      "a plugin with a path as name",
      nexus("    plugins: { ../x: {} }\n"),
      /plugins\["\.\.\/x"\]: expected a plugin's name/,
    ],
    [
      "a number where text belongs",
      nexus().replace("medic\n", "5\n"),
      /user: expected a user's name, got 5: put it in quotes/,
    ],
    [
      "the network without a token",
      `server: { listen: "0.0.0.0:80" }\n${self}`,
      /server\.listen: opens Medic to the network/,
    ],
    ["a retention that limits might reach", `server: { retain: 29d }\n${self}`, /retain: expected .* 30d at least/],
    ["a retention without an end in sight", `server: { retain: 10000d }\n${self}`, /retain: expected .*9999d at most/],
    ["a timer of 25 days", `limits: { quiet: 25d }\n${self}`, /quiet: expected a duration.* and 24d at most/],
    [
      "a role that there is not",
      `server: { tokens: [{ name: a, sha256: ${"0a".repeat(32)}, roles: [admin] }] }\n${self}`,
      /roles\[0\]: expected intake or read or operate/,
    ],
    [
      "a token without any role",
      `server: { tokens: [{ name: a, sha256: ${"0a".repeat(32)}, roles: [] }] }\n${self}`,
      /roles: expected a list of at least 1/,
    ],
    ["a port above 65535", `server: { listen: "127.0.0.1:65536" }\n${self}`, /expected a port up to 65535/],
    [
      "a token that is no hash",
      `server: { tokens: [{ name: a, sha256: abc }] }\n${self}`,
      /sha256: expected 64 characters/,
    ],
    [
      "an unknown responder",
      `responder: { order: [gpt] }\n${self}`,
      /order\[0\]: expected runbook or claude, got "gpt"/,
    ],
    ["a responder twice", `responder: { order: [claude, claude] }\n${self}`, /order: expected each responder once/],
    ["no responder", `responder: { order: [] }\n${self}`, /order: expected a list of at least 1, got an empty list/],
    ["two sources of one key", `responder: { apiKey: a, apiKeyFile: b }\n${self}`, /apiKeyFile: is one too many/],
    [
      "a base URL with a login",
      `responder: { baseUrl: "https://u:p@h/" }\n${self}`,
      /baseUrl: expected an http\(s\) URL/,
    ],
    [
      "a rule for an unknown host",
      `alerts: { rules: [{ match: { a: b }, host: x }] }\n${self}`,
      /"x" is not among hosts \(self\)/,
    ],
    [
      "a rule for a plugin the host lacks",
      `alerts: { rules: [{ match: { a: b }, host: self, plugin: docker }] }\n${self}`,
      /rules\[0\]\.plugin: "docker" is not among the plugins of host "self"/,
    ],
    ["a rule that says nothing", `alerts: { rules: [{ match: { a: b } }] }\n${self}`, /rules\[0\]: changes nothing/],
    [
      "a rule that ignores and says",
      `alerts: { rules: [{ match: { a: b }, service: s, ignore: true }] }\n${self}`,
      /both ignores/,
    ],
    [
      "a rule that matches all",
      `alerts: { rules: [{ match: {}, ignore: true }] }\n${self}`,
      /match: expected at least one label/,
    ],
    [
      "a mapping of nothing",
      `alerts: { generic: { status: s } }\n${self}`,
      /generic\.firing: is missing: What the status is/,
    ],
  ];
  for (const [what, text, expected] of refused) {
    it(`refuses ${what}`, () => {
      const lines = complaints(text);
      assert.ok(
        lines.some((line) => expected.test(line)),
        lines.join("\n") || "it was accepted",
      );
    });
  }

  const allowed: [string, string][] = [
    ["a local host", self],
    ["agent: true in place of a key", "hosts: { a: { address: h, user: u, agent: true } }"],
    ["an IPv6 address", nexus().replace("192.0.2.11", '"fe80::1%eth0"')],
    ["a full fingerprint", nexus(`    hostKey: SHA256:${"a".repeat(43)}\n`)],
    [
      "the network with a token",
      `server: { listen: "0.0.0.0:80", tokens: [{ name: a, sha256: ${"0a".repeat(32)} }] }\n${self}`,
    ],
    [
      "a token with roles",
      `server: { tokens: [{ name: a, sha256: ${"0a".repeat(32)}, roles: [read, operate] }] }\n${self}`,
    ],
    ["keeping for ever", `server: { retain: 0 }\n${self}`],
    ["keeping for thirty days", `server: { retain: 30d }\n${self}`],
    ["loopback of IPv6 without a token", `server: { listen: "[::1]:8484" }\n${self}`],
    ["any 127 address without a token", `server: { listen: "127.0.0.9:0" }\n${self}`],
    ["runbooks only", `responder: { order: [runbook] }\n${self}`],
    [
      "a rule for the plugin every host has",
      `alerts: { rules: [{ match: { a: b }, host: self, plugin: host }] }\n${self}`,
    ],
    ["globs", nexus('    protect: [postgres, "*-db", "db?"]\n')],
    ["an alias", `pool: &p { idleTimeout: 1m }\n${nexus("    pool: *p\n")}`],
  ];
  for (const [what, text] of allowed) it(`accepts ${what}`, () => assert.deepEqual(complaints(text), []));

  it("says of a list's item which one it is", () => {
    const text = `server:\n  tokens:\n    - { name: a, sha256: ${"0a".repeat(32)} }\n    - { name: a, sha256: ${"1a".repeat(32)} }\n${self}`;
    assert.deepEqual(complaints(text), ['hosts.yaml:4:15 server.tokens[1].name: "a" is the name of another token too']);
  });

  it("lists fifty problems and counts the rest", () => {
    const hosts = Array.from({ length: 60 }, (_, index) => `  h${index}: { transport: local, port: 1 }`);
    const lines = complaints(`hosts:\n${hosts.join("\n")}\n`);
    assert.equal(lines.length, 51);
    assert.equal(lines.at(-1), "hosts.yaml: and 10 more");
  });
});

describe("the limits of single settings", () => {
  const edges: [setting: string, allowed: string[], refused: string[]][] = [
    [
      "pool.idleTimeout",
      ["0", "1ms", "500ms", "1.5h", "24d"],
      ["5", "25d", "577h", "-1s", "5 m", "m", "1w", "'0'", "0s", "true"],
    ],
    ["pool.keepaliveInterval", ["0", "1s"], ["999ms"]],
    ["pool.dialTimeout", ["100ms", "24d"], ["99ms", "0"]],
    ["pool.maxChannels", ["auto", "1", "1000"], ["0", "1001", "1.5", "many"]],
    ["pool.warmChannels", ["auto", "off"], ["on", "3", "false"]],
    ["pool.maxConnections", ["1", "100"], ["0", "101", "auto"]],
    ["pool.reuse", ["on", "off"], ["true", "1"]],
    ["pool.connections", ["1", "10000"], ["0", "10001"]],
    ["pool.keepaliveCount", ["1", "100"], ["0", "101"]],
    ["pool.queue", ["1", "100000"], ["0", "100001", "'1'"]],
    ["pool.outputBytes", ["1KiB", "1024", "64MiB", "2048B"], ["1023", "65MiB", "1KB", "1.5MiB", "-1"]],
    ["limits.incidents", ["1", "64"], ["0", "65"]],
    ["limits.incident", ["10s"], ["9s", "0"]],
    ["limits.alertBytes", ["1KiB", "64MiB"], ["1B", "65MiB"]],
    ["limits.notifyWithin", ["1m", "24d"], ["59s", "0"]],
    ["approvals.within", ["10s", "24d"], ["9s", "0"]],
    [
      "server.publicUrl",
      ["https://medic.example", "http://10.0.0.2:8484/in/"],
      ["medic.example", "ftp://x", "https://me:pw@medic.example", "https://medic.example/?a=1"],
    ],
    ["limits.stable", ["1s", "5m"], ["0", "999ms"]],
    ["limits.fixesPerHost", ["1", "1000"], ["0", "1001"]],
    ["responder.turns", ["1", "100"], ["0", "101", "1.5"]],
    ["responder.dollars", ["0.01", "1000"], ["0", "0.001", "1001", "'1'"]],
    ["responder.tokens", ["1000"], ["999"]],
    ["responder.requestTimeout", ["1s"], ["1ms"]],
  ];
  for (const [setting, allowed, refused] of edges) {
    const [section, key] = setting.split(".");
    const text = (value: string) => `${section}: { ${key}: ${value} }\n${self}`;
    it(`${setting} takes ${allowed.join(", ")}`, () => {
      for (const value of allowed) assert.deepEqual(complaints(text(value)), []);
    });
    it(`${setting} refuses ${refused.join(", ")}`, () => {
      for (const value of refused)
        assert.deepEqual(
          problemsOf(text(value)).map(({ path }) => path),
          [setting],
          value,
        );
    });
  }

  it("turns durations into seconds and sizes into bytes", () => {
    const { pool, limits } = read(
      `pool: { idleTimeout: 500ms, dialTimeout: 1.5h, outputBytes: 2MiB }\nlimits: { fixWindow: 1d }\n${self}`,
    );
    assert.deepEqual(
      [pool.idleTimeout, pool.dialTimeout, pool.outputBytes, limits.fixWindow],
      [0.5, 5400, 2_097_152, 86_400],
    );
  });

  it("counts ports from 1 to 65535", () => {
    const host = (port: number) => nexus(`    port: ${port}\n`);
    for (const port of [1, 65_535]) assert.deepEqual(complaints(host(port)), []);
    for (const port of [0, 65_536, 2.5]) assert.equal(problemsOf(host(port))[0]?.path, "hosts.nexus.port");
  });
});
