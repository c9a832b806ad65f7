// 500 alerts in a few seconds over several hosts while the model is down: the worst evening there is. Everything goes through
// the HTTP door of a real `medic serve`; only the hosts and the model's API are simulated.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { newToken } from "../../core/http/tokens.ts";
import type { IncidentRecord, JournalEvent } from "../../core/incident/incident.ts";
import { openJournal, readJournal } from "../../core/incident/journal.ts";
import { realClock } from "../../core/sandbox/clock.ts";
import { createSandbox, type Sandbox } from "../../core/sandbox/sandbox.ts";
import { FakeModel, hangs } from "../support/fake-model.ts";
import { eventually } from "../support/scenario.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";

const hosts = ["nexus", "atlas", "vega"];
/** Stopped by somebody; a start heals them. */
const stopped = ["mosquitto", "scrypted-watchtower"];
const QUEUE = 6;

type Alert = { host: string; service: string; status?: "firing" | "resolved" };

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const hostOf = (index: number): string => hosts[index % hosts.length] ?? "";

/** What can be healed and its repeats, what nobody can heal, what points nowhere, and what is over again. */
const storm: readonly (readonly Alert[])[] = [
  hosts.flatMap((host) => stopped.flatMap((service) => times(40, () => ({ host, service })))),
  hosts.flatMap((host) => times(10, () => ({ host, service: "postgres" }))),
  times(60, (index) => ({ host: hostOf(index), service: `ghost-${index}` })),
  times(100, (index) => ({ host: `stranger-${index}`, service: "x" })),
  times(25, (index) => ({ host: hostOf(index), service: `flash-${index}` })),
  times(25, (index) => ({ host: hostOf(index), service: `flash-${index}`, status: "resolved" })),
  times(20, (index) => ({ host: hostOf(index), service: `never-${index}`, status: "resolved" })),
];
/** A resolved alert that nothing fired before has no incident to stand in. */
const STORED = 480;

describe("500 alerts in a few seconds, with the model down", () => {
  it("are all answered and stored, also over kill -9, and end healed or with a person: connection refused", async () => {
    await using evening = await startEvening("http://127.0.0.1:1");
    await using first = await evening.serve();
    await evening.rage(first);
    await first.kill();
    const journal = openJournal(evening.data, { now: Date.now });
    assert.equal(journal.verify().intact, true);
    journal.close();
    assert.equal(evening.stored(), STORED);
    await using second = await evening.serve();
    await evening.end(second);
    evening.judge();
  });

  it("are all answered and stored, and end healed or with a person: a model that hangs", async () => {
    await using model = await FakeModel.start(times(50, () => hangs()));
    await using evening = await startEvening(model.url);
    await using serve = await evening.serve();
    await evening.rage(serve);
    assert.equal(evening.stored(), STORED);
    await evening.end(serve);
    evening.judge();
    // At most those that were at work when it was found out.
    assert.ok(model.requests.length <= hosts.length, `the model was asked ${model.requests.length} times`);
    const bytesMax = 600 * 1024 ** 2;
    assert.ok(peakBytes(serve.pid) < bytesMax, `it took ${peakBytes(serve.pid)} bytes`);
  });
});

async function startEvening(baseUrl: string) {
  const sandboxes = new Map<string, Sandbox>();
  // Waits on the hosts are a tenth as long, or evidence alone would take minutes.
  const clock = { ...realClock, sleep: (ms: number, signal?: AbortSignal) => realClock.sleep(ms / 10, signal) };
  for (const host of hosts) sandboxes.set(host, await createSandbox({ clock }));
  for (const { homelab } of sandboxes.values()) await homelab.run(`docker stop ${stopped.join(" ")}`);
  const folder = await mkdtemp(join(tmpdir(), "medic-storm-"));
  const data = join(folder, "data");
  const config = join(folder, "hosts.yaml");
  const { token, sha256 } = newToken();
  await writeFile(config, hostsYaml(sandboxes, sha256, baseUrl), { mode: 0o600 });
  const reading = <T>(read: (journal: ReturnType<typeof readJournal>) => T): T => {
    const journal = readJournal(data, { now: Date.now });
    try {
      return read(journal);
    } finally {
      journal.close();
    }
  };
  const records = (): IncidentRecord[] => reading((journal) => journal.incidents());
  const events = (): JournalEvent[] => reading((j) => j.incidents().flatMap(({ id }) => j.events(id)));
  return {
    data,
    serve: () => startServeProcess(config),
    /** Each alert is a request of its own, many at once; each is answered 202. */
    async rage({ url }: ServeProcess): Promise<void> {
      for (const part of storm) {
        const answers = await Promise.all(part.map((alert) => post(url, token, alert)));
        assert.deepEqual([...new Set(answers)], [202]);
      }
      assert.equal(storm.flat().length, 500);
    },
    stored: () =>
      events().filter((event) => ["incident-opened", "alert-folded", "alert-resolved"].includes(event.kind)).length,
    end: ({ log }: ServeProcess) =>
      eventually(
        "every incident to end",
        () => {
          assert.doesNotMatch(log(), /incident_stuck|journal_listener_failed|round_failed/);
          return records().every(({ state }) => state.is === "resolved" || state.is === "escalated");
        },
        90,
      ),
    /** Nothing is lost, nothing ran twice, everything says why it ended. */
    judge(): void {
      const ended = records();
      assert.equal(ended.length, 6 + 3 + 60 + 100 + 25);
      for (const { key, state } of ended) {
        const why = state.is === "resolved" ? state.why : state.is === "escalated" ? state.reason : "";
        assert.notEqual(why, "", `${key} ended as ${state.is} without a word`);
      }
      const isFull = ({ state }: IncidentRecord): boolean =>
        state.is === "escalated" && state.reason.includes(`${QUEUE} incidents are waiting already (limits.queue`);
      assert.ok(ended.filter(isFull).length > 30);
      for (const record of ended.filter(({ key }) => key.includes("flash-"))) {
        assert.equal(record.state.is, "resolved", record.key);
      }
      for (const [host, { homelab }] of sandboxes) {
        for (const name of stopped) {
          const container = homelab.docker.containers.find((one) => one.name === name);
          const starts = homelab.docker.events.filter(
            (event) => event.action === "start" && event.container.name === name,
          );
          assert.equal(starts.length, 1, `${host}/${name} was started ${starts.length} times`);
          assert.equal(container?.state.status, "running", `${host}/${name}`);
        }
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...sandboxes.values()].map((sandbox) => sandbox.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function hostsYaml(sandboxes: ReadonlyMap<string, Sandbox>, sha256: string, baseUrl: string): string {
  const entries = [...sandboxes].map(
    ([name, { address, port, user, identity, hostKey }]) => `  ${name}:
    { address: ${address}, port: ${port}, user: ${user}, identity: ${identity}, hostKey: "${hostKey}",
      trust: disruptive, protect: [postgres], plugins: { docker: {} } }`,
  );
  return `server:
  listen: 127.0.0.1:0
  data: ./data
  tokens: [{ name: monitor, sha256: ${sha256}, roles: [intake] }]
responder: { apiKey: test, baseUrl: "${baseUrl}", requestTimeout: 1s, breaks: 1 }
limits: { stable: 1s, queue: ${QUEUE} }
hosts:
${entries.join("\n")}
`;
}

async function post(url: string, token: string, { host, service, status = "firing" }: Alert): Promise<number> {
  const alert = {
    status,
    labels: { alertname: "Down", host, service },
    annotations: {},
    startsAt: "2026-11-23T20:00:00Z",
    endsAt: "0001-01-01T00:00:00Z",
    fingerprint: `${host}-${service}`,
  };
  const response = await fetch(new URL("/webhooks/alertmanager", url), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ version: "4", status, alerts: [alert] }),
  });
  await response.arrayBuffer();
  return response.status;
}

function peakBytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}
