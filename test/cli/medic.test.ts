import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";
import * as v from "valibot";
import { inputFrom } from "../../core/cli/tool.ts";
import { callMedic, type Told } from "../support/scenario.ts";

const medic = (...args: string[]): Promise<Told> => callMedic(tmpdir(), args, new AbortController().signal);

describe("the command line", () => {
  it("shows what there is when it is called without a verb, and ends with 2", async () => {
    const { code, stdout } = await medic();
    assert.equal(code, 2);
    assert.match(stdout, /serve.*doctor.*explain/s);
  });

  it("shows a verb's help, and ends with 0", async () => {
    const { code, stdout } = await medic("investigate", "--help");
    assert.equal(code, 0);
    assert.match(stdout, /--dry-run/);
  });

  it("prints no colours when nobody watches", async () => {
    const { stdout } = await medic("--help");
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout, /\u001b/);
  });

  for (const [args, pattern] of [
    [["heal"], /Unknown command/],
    [["version", "--jsno"], /unknown option "--jsno"/],
    [["version", "now"], /one word too many/],
    [["explain"], /ID/],
    [["investigate"], /--host/],
    [["token", "old"], /the only verb is new/],
    [["hosts", "--config", "/nonexistent/hosts.yaml"], /hosts.yaml/],
  ] as const) {
    it(`ends with 2 and one clear text for: medic ${args.join(" ")}`, async () => {
      const { code, stderr } = await medic(...args);
      assert.equal(code, 2);
      assert.match(stderr, pattern);
      assert.doesNotMatch(stderr, /\n\s+at /);
    });
  }
});

describe("medic token new", () => {
  it("prints a token once, and the line that hosts.yaml gets", async () => {
    const { code, stdout, stderr } = await medic("token", "new", "alertmanager");
    assert.equal(code, 0);
    const sha256 = createHash("sha256").update(stdout.trim()).digest("hex");
    assert.match(stderr, new RegExp(`{ name: alertmanager, sha256: ${sha256}, roles: \\[intake\\] }`));
  });

  it("makes another one each time, with --json as one object", async () => {
    const shape = v.strictObject({
      name: v.string(),
      token: v.string(),
      sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
      roles: v.array(v.string()),
    });
    const [one, two] = await Promise.all([medic("token", "new", "--json"), medic("token", "new", "--json")]);
    const [first, second] = [one, two].map(({ stdout }) => v.parse(shape, JSON.parse(stdout)));
    assert.notEqual(first?.token, second?.token);
  });

  it("gives the roles that are asked for, and refuses one that there is not", async () => {
    const { stderr } = await medic("token", "new", "ada", "--role", "operate, read");
    assert.match(stderr, /roles: \[read, operate\] }/);
    for (const role of ["admin", "", "read,", "Read"]) {
      const refused = await medic("token", "new", "ada", "--role", role);
      assert.equal(refused.code, 2, role);
      assert.match(refused.stderr, /the roles are intake, read, operate/);
    }
  });
});

describe("medic version", () => {
  it("says what runs, as text and as JSON", async () => {
    const shape = v.strictObject({
      version: v.string(),
      edition: v.literal("source"),
      runtime: v.string(),
      platform: v.string(),
    });
    const { version } = v.parse(shape, JSON.parse((await medic("version", "--json")).stdout));
    assert.match((await medic("version")).stdout, new RegExp(`medic ${version}`));
  });
});

describe("a tool's input on the command line", () => {
  const schema = {
    properties: {
      name: { type: "string" },
      lines: { type: "integer" },
      all: { type: "boolean" },
      list: { type: "array", items: { type: "number" } },
    },
  };

  it("is typed by the tool's schema", () => {
    const input = inputFrom(["nexus", "docker_logs", "--name", "web", "--lines=5", "--all", "--list", "1,2"], schema);
    assert.deepEqual(input, { name: "web", lines: 5, all: true, list: [1, 2] });
  });

  it("leaves what is no number as it is, for the schema to refuse", () => {
    assert.deepEqual(inputFrom(["--lines", "many"], schema), { lines: "many" });
  });

  it("keeps medic's own options out", () => {
    assert.deepEqual(inputFrom(["--name", "web", "--yes", "--json", "--config", "x"], schema), { name: "web" });
  });
});
