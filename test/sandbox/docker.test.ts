// The sandbox's docker has the traps of the real one (20.10): what plugins guard against has to be there.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import type { Clock } from "../../core/sandbox/clock.ts";
import { createHomelab } from "../../core/sandbox/homelab.ts";
import { fillTemplate } from "../../core/sandbox/programs/go-template.ts";

describe("the sandbox's docker", () => {
  // Time only moves when somebody waits.
  let time = Date.parse("2026-11-23T10:00:00Z");
  const clock: Clock = { now: () => time, sleep: async (milliseconds) => void (time += milliseconds) };
  const ending = new AbortController();
  const homelab = createHomelab(clock, ending.signal);
  const run = async (commandLine: string) => await homelab.run(commandLine);
  const state = async (name: string) =>
    (await run(`docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.StartedAt}}' ${name}`)).stdout.trim();
  after(() => ending.abort(new Error("the test is over")));

  it("prints the literal word for --format json, and JSON for the template", async () => {
    assert.equal((await run("docker ps --format json | sort -u")).stdout, "json\n");
    assert.match(
      (await run("docker ps --format '{{json .}}' | head -n 1")).stdout,
      /^\{"Command":.*"Names":"scrypted"/,
    );
  });

  it("finds more than the name that a filter was given, and only that one by an anchored name", async () => {
    const names = "docker ps --format '{{.Names}}' --filter";
    assert.equal((await run(`${names} name=scrypted`)).stdout, "scrypted\nscrypted-watchtower\n");
    assert.equal((await run(`${names} 'name=^/scrypted$'`)).stdout, "scrypted\n");
  });

  it("inspects by the beginning of an id, and knows no such container otherwise", async () => {
    const id = (await run("docker ps --quiet --filter 'name=^/scrypted$'")).stdout.trim();
    assert.equal((await run(`docker container inspect -f '{{.Name}}' ${id.slice(0, 4)}`)).stdout, "/scrypted\n");
    const missing = await run("docker container inspect -f '{{.Name}}' nobody");
    assert.deepEqual(missing, { exit: 1, stdout: "\n", stderr: "Error: No such container: nobody\n" });
  });

  it("reads the logs of a driver that can be read, and not those of none", async () => {
    assert.match((await run("docker logs mosquitto")).stdout, /mosquitto version/);
    const none = await run("docker logs scrypted");
    assert.deepEqual([none.exit, none.stdout], [1, ""]);
    assert.match(none.stderr, /configured logging driver does not support reading/);
  });

  it("stops with the program's own status, kills with 137, and starts with a new time", async () => {
    assert.match(await state("mosquitto"), /^running 0 2026-11-06/);
    await run("docker stop mosquitto");
    assert.match(await state("mosquitto"), /^exited 0 /);
    await run("docker start mosquitto");
    assert.match(await state("mosquitto"), /^running 0 2026-11-23T10:/);
    await run("docker kill mosquitto");
    assert.match(await state("mosquitto"), /^exited 137 /);
    assert.match((await run("docker kill mosquitto")).stderr, /is not running/);
  });

  it("records what happened, in docker's order, for one container or for all", async () => {
    const events = "docker events --since 0 --until $(( $(date +%s) + 1 )) --format '{{.Action}}'";
    const expected = ["kill", "die", "stop", "start", "kill", "die"];
    assert.deepEqual((await run(`${events} --filter container=mosquitto`)).stdout.trim().split("\n"), expected);
    assert.equal((await run(`${events} --filter container=postgres`)).stdout, "");
  });

  it("fills templates as Go does, and refuses what is none", () => {
    const data = { Name: "/x", Labels: { a: "1" }, Empty: null, List: ["p", "q"], Text: "<&>" };
    assert.equal(fillTemplate('{{.Name}} {{index .Labels "a"}}[{{index .Labels "b"}}]', data), "/x 1[]");
    assert.equal(fillTemplate("{{if .Empty}}yes{{else}}no{{end}} {{range .List}}{{.}};{{end}}", data), "no p;q;");
    assert.equal(
      fillTemplate('{{json .Text}} {{json .Empty}} {{len .List}} {{join .List ","}}', data),
      '"\\u003c\\u0026\\u003e" null 2 p,q',
    );
    assert.throws(() => fillTemplate("{{.Nope}}", data), /map has no entry for key "Nope"/);
    assert.throws(() => fillTemplate("{{if .Name}}", data), /unexpected EOF/);
    assert.throws(() => fillTemplate("{{nope .Name}}", data), /function "nope" not defined/);
  });
});
