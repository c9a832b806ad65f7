// What a `serve` says of itself to whoever looks after it: to a dead-man's switch, to systemd; and how it stops.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { createOutput } from "../../core/cli/context.ts";
import { runMedic } from "../../core/cli/medic.ts";
import { createSupervisor } from "../../core/cli/supervisor.ts";
import { createVitals } from "../../core/cli/vitals.ts";
import { FILE, openJournal } from "../../core/incident/journal.ts";
import { createHeartbeat } from "../../core/notify/heartbeat.ts";
import { keptLog } from "../support/ssh-host.ts";
import { startReceiver } from "../support/receiver.ts";
import { Collector, eventually, firing, startScenario } from "../support/scenario.ts";
import { startSilentProxy } from "../support/silent-proxy.ts";

/** Sleeps that end when the test says so. */
function steps() {
  const waiting: (() => void)[] = [];
  const waits: number[] = [];
  return {
    waits,
    sleep: (milliseconds: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        waits.push(milliseconds);
        waiting.push(resolve);
        signal.addEventListener("abort", () => reject(new Error("stopped")), { once: true });
      }),
    next: () => waiting.shift()?.(),
  };
}

describe("the heartbeat", () => {
  it("beats at once and then as often as it is told, and no more after its end", async () => {
    await using outside = await startReceiver();
    const clock = steps();
    const { log } = keptLog();
    const heart = createHeartbeat({ trouble: () => undefined, sleep: clock.sleep, log });
    heart.take({ url: `${outside.url}/ping/1`, every: 60 });
    for (const beats of [1, 2, 3]) {
      await eventually(`beat ${beats}`, () => outside.received.length === beats && clock.waits.length === beats);
      clock.next();
    }
    await eventually("the fourth", () => clock.waits.length === 4);
    heart.take(undefined);
    assert.deepEqual(new Set(clock.waits), new Set([60_000]));
    assert.deepEqual(new Set(outside.received.map(({ path }) => path)), new Set(["/ping/1"]));
    clock.next();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(outside.received.length, 4);
  });

  it("is withheld while Medic does not really work, says so once, and comes back by itself", async () => {
    await using outside = await startReceiver();
    const clock = steps();
    const { log, events } = keptLog();
    let trouble: string | undefined = "the disk is full";
    const heart = createHeartbeat({ trouble: () => trouble, sleep: clock.sleep, log });
    heart.take({ url: outside.url, every: 10 });
    for (const beats of [1, 2]) {
      await eventually(`try ${beats}`, () => clock.waits.length === beats);
      clock.next();
    }
    await eventually("the third try", () => clock.waits.length === 3);
    assert.equal(outside.received.length, 0);
    trouble = undefined;
    clock.next();
    await eventually("a beat", () => outside.received.length === 1 && clock.waits.length === 4);
    outside.answer = (_request, response) => void response.writeHead(503).end();
    clock.next();
    await eventually("a beat that is lost", () => clock.waits.length === 5);
    heart.take(undefined);
    assert.deepEqual(
      events.map(({ event }) => event),
      ["heartbeat_withheld", "heartbeat_resumed", "heartbeat_lost"],
    );
  });

  it("comes from a serve as hosts.yaml says", async () => {
    await using outside = await startReceiver();
    await using scenario = await startScenario({ more: `heartbeat: { url: "${outside.url}/beat" }` });
    await using served = await scenario.serve();
    await eventually("the first beat", () => outside.received.length === 1);
    await served.stop();
  });

  it("is refused with a login in its URL, and more often than every ten seconds", async () => {
    for (const bad of ["{ url: 'https://me:secret@example.org' }", "{ url: 'https://example.org', every: 9s }"]) {
      await using scenario = await startScenario({ more: `heartbeat: ${bad}` });
      const { code, stderr } = await scenario.medic("config", "check");
      assert.equal(code, 2);
      assert.match(stderr, /heartbeat\.(url|every): expected/);
    }
  });
});

describe("the vital signs", () => {
  const journal = { trouble: () => undefined as string | undefined };
  it("are well until work hangs, a look fails or the journal cannot be written", () => {
    const stuck: string[] = [];
    const failures: string[] = [];
    const vitals = createVitals({ journal, stuck: () => stuck, onFailure: (why) => void failures.push(why) });
    assert.deepEqual([vitals.stalled(), vitals.trouble("try")], [undefined, undefined]);
    let broken = true;
    const look = (): void => {
      if (broken) throw new Error("no such table");
    };
    vitals.round(look);
    assert.deepEqual([vitals.stalled(), vitals.trouble()], [undefined, "no such table"]);
    broken = false;
    vitals.round(look);
    assert.equal(vitals.trouble(), undefined);
    assert.deepEqual(failures, ["no such table"]);
    stuck.push("20261126-1500-abc");
    assert.match(vitals.stalled() ?? "", /"20261126-1500-abc" was to stop and does not/);
    assert.equal(vitals.trouble(), vitals.stalled());
  });

  it("find out by trying that a journal cannot be written, and that it can be again", () => {
    const folder = mkdtempSync(join(tmpdir(), "medic-vitals-"));
    const real = openJournal(folder, { now: Date.now });
    const vitals = createVitals({ journal: real, stuck: () => [], onFailure: () => undefined });
    const other = new DatabaseSync(join(folder, FILE));
    other.exec("BEGIN IMMEDIATE");
    // Nobody has tried.
    assert.equal(vitals.trouble(), undefined);
    assert.match(vitals.trouble("try") ?? "", /another program holds the file/);
    other.exec("ROLLBACK");
    other.close();
    assert.equal(vitals.trouble("try"), undefined);
    real.close();
    rmSync(folder, { recursive: true });
  });

  it("let no watchdog end a process for what another one could not do better", () => {
    const full = { trouble: () => "the disk is full" };
    const vitals = createVitals({ journal: full, stuck: () => [], onFailure: () => undefined });
    assert.deepEqual([vitals.stalled(), vitals.trouble()], [undefined, "the disk is full"]);
  });
});

describe("systemd", () => {
  /** A stand-in for systemd-notify that writes down what it was told. */
  function stage(exit = 0) {
    const folder = mkdtempSync(join(tmpdir(), "medic-notify-"));
    const told = join(folder, "told");
    const program = join(folder, "systemd-notify");
    writeFileSync(program, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${told}\nexit ${exit}\n`);
    chmodSync(program, 0o755);
    writeFileSync(told, "");
    const kept = keptLog();
    const supervisor = (more: Record<string, string>) =>
      createSupervisor({ PATH: `${folder}:/usr/bin:/bin`, ...more }, kept.log);
    const remove = (): void => rmSync(folder, { recursive: true });
    return { supervisor, lines: () => readFileSync(told, "utf8").trim().split("\n"), kept, [Symbol.dispose]: remove };
  }

  it("hears in order what is said, and nothing where it did not start Medic", async () => {
    using stand = stage();
    await stand.supervisor({}).say("READY=1");
    assert.deepEqual(stand.lines(), [""]);
    const supervisor = stand.supervisor({ NOTIFY_SOCKET: "/run/x" });
    void supervisor.say("READY=1", "STATUS=well; touch /tmp/no");
    void supervisor.say("RELOADING=1");
    await supervisor.say("STOPPING=1");
    assert.deepEqual(stand.lines(), [
      "/run/x READY=1 STATUS=well; touch /tmp/no",
      "/run/x RELOADING=1",
      "/run/x STOPPING=1",
    ]);
  });

  it("is told that Medic works only while it does, and only where it asked", async () => {
    using stand = stage();
    const watchdog = { NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "30000" };
    for (const none of [{ ...watchdog, WATCHDOG_PID: "1" }, { NOTIFY_SOCKET: "/run/x" }, { WATCHDOG_USEC: "30000" }]) {
      stand.supervisor(none).watch(() => assert.fail("asked though nobody wants to know"))();
    }
    const well = stand.supervisor(watchdog);
    const stop = well.watch(() => undefined);
    await eventually("two signs of life", () => stand.lines().length >= 2);
    stop();
    // What was said last has been said by then.
    await well.say("STATUS=over");
    assert.deepEqual(new Set(stand.lines()), new Set(["/run/x WATCHDOG=1", "/run/x STATUS=over"]));

    using sick = stage();
    const hung = sick.supervisor(watchdog);
    const stopSick = hung.watch(() => "it hangs");
    await eventually("two words of it", () => sick.lines().length >= 2);
    stopSick();
    await hung.say("STATUS=over");
    assert.deepEqual(new Set(sick.lines()), new Set(["/run/x STATUS=Stalled: it hangs", "/run/x STATUS=over"]));
  });

  it("that cannot be told is no reason to stop: the log has it", async () => {
    using stand = stage(1);
    await stand.supervisor({ NOTIFY_SOCKET: "/run/x" }).say("READY=1");
    assert.deepEqual(
      stand.kept.events.map(({ event }) => event),
      ["systemd_not_told"],
    );
  });
});

describe("a serve that breaks once it listens", () => {
  it("has let go of its port and of its journal when it says so", async () => {
    await using scenario = await startScenario();
    const lines = new Collector();
    const env = {
      MEDIC_CONFIG: join(scenario.folder, "hosts.yaml"),
      // As Deno does for what its permissions leave out.
      get NOTIFY_SOCKET(): string {
        throw new Error("not allowed");
      },
    };
    const said = new Collector();
    const out = createOutput({ stdout: lines, stderr: said } as never, env);
    const { folder } = scenario;
    const stop = AbortSignal.timeout(20_000);
    assert.notEqual(await runMedic(["serve"], { env, home: folder, folder, out, stop }), 0);
    assert.match(said.text, /not allowed/);
    assert.match(lines.text, /medic_stopped/);
    const url = /medic_serving .*url=(\S+)/.exec(lines.text)?.[1] ?? "";
    await assert.rejects(fetch(`${url}/livez`));
    await using next = await scenario.serve();
    assert.equal((await next.ask("/livez")).status, 200);
  });
});

describe("a serve that is stopped in the middle of a diagnosis", () => {
  it("ends by itself, leaves the incident as it is, and the next one resolves it", async () => {
    await using scenario = await startScenario();
    await using proxy = await startSilentProxy(scenario.sandbox);
    const file = join(scenario.folder, "hosts.yaml");
    const text = readFileSync(file, "utf8")
      .replace(`address: ${scenario.sandbox.address}`, `address: ${proxy.address}`)
      .replace(`port: ${scenario.sandbox.port}`, `port: ${proxy.port}`);
    writeFileSync(file, text);
    mkdirSync(join(scenario.folder, "data"), { mode: 0o700 });
    await scenario.stopScrypted();
    // The host falls silent while it answers the first questions.
    proxy.silenceAfterBytes(4000);
    await using first = await scenario.serve();
    const body = JSON.stringify(firing({ host: "nexus", service: "scrypted" }));
    const taken = await first.ask("/webhooks/alertmanager", { method: "POST", body });
    const { incidents } = (await taken.json()) as { incidents: { id: string }[] };
    const id = incidents[0]?.id ?? "";
    await eventually("the diagnosis", () => first.log().includes("incident_started") && proxy.lostBytes() > 0);
    const { code } = await first.stop();
    assert.equal(code, 0);
    assert.match(first.log(), /incident_left/);
    assert.doesNotMatch(first.log(), /stop_cut_short/);
    const left = (await scenario.medicJson("explain", id)) as { incident: { state: { is: string } } };
    assert.match(left.incident.state.is, /^(open|investigating)$/);

    proxy.silenceAfterBytes(undefined);
    // Somebody saw to it meanwhile; that is for the next process to find out.
    const { homelab } = scenario.sandbox;
    await homelab.run("docker start scrypted");
    await eventually("it to answer", async () => {
      return (await homelab.run("curl -sk -m 2 https://localhost:10443/login")).exit === 0;
    });
    await using second = await scenario.serve();
    assert.match(second.log(), /incident_resumed/);
    const stateNow = async (): Promise<string> =>
      ((await (await second.ask(`/incidents/${id}`)).json()) as typeof left).incident.state.is;
    await eventually("the end of it", async () => (await stateNow()) === "resolved");
    await second.stop();
    assert.equal(((await scenario.medicJson("audit", "verify")) as { intact: boolean }).intact, true);
  });
});
