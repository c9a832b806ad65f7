// The transport against a stock sshd, judged from the host's side: its processes, its sockets, its log.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { loadConfig } from "../../core/config/load.ts";
import type { Config } from "../../core/config/schema.ts";
import { silent } from "../../core/log.ts";
import { createTransport, type How, type Transport, TransportError } from "../../core/transport/pool.ts";
import { inHost, labHost, readLab, sshdCounts, onHost } from "../../scripts/lab/lab.ts";
import { until } from "../../scripts/lab/process.ts";
import { ownMedic, type OwnMedic } from "../../scripts/lab/own-medic.ts";
import { count, dockerActions, dockerNow, removeContainer, startContainer } from "./real-host.ts";

const host = "vega";
const lab = readLab();
const key = lab.keys.medic.fingerprint;

describe("the transport on a real sshd", { timeout: 120_000 }, () => {
  let medic: OwnMedic;
  let config: Config;
  let transport: Transport;
  let cursor: string;
  before(async () => {
    medic = await ownMedic();
    ({ config } = loadConfig(medic.configFile, { env: {}, home: medic.folder, shownAs: "hosts.yaml" }));
  });
  after(() => medic.remove());
  afterEach(() => transport.close());
  const open = async (pool: Partial<Config["pool"]> = {}): Promise<void> => {
    const settings = config.hosts[host];
    assert.ok(settings !== undefined);
    transport = createTransport({ [host]: { ...settings, pool: { ...settings.pool, ...pool } } }, { log: silent });
    ({ cursor } = await sshdCounts(host));
  };
  const read: How = { kind: "diagnostic", tool: "test", commandSeconds: 20 };
  const counted = () => sshdCounts(host, { key, since: cursor });
  /** Whether the connection that ran the first command since `open` is still there, as the host's kernel sees it. */
  const isConnected = async (): Promise<boolean> => {
    const port = (await counted()).sessionLog[0]?.from.split(" ").at(-1);
    assert.ok(port !== undefined, "sshd saw no command");
    return (await onHost(host, `ss -Htn state established "dport = :${port}"`)) !== "";
  };

  for (const [what, command, trace] of [
    ["alone", ["sleep", "3171"], "sleep 3171"],
    ["with a child that is deaf to TERM", ["sh", "-c", `sh -c 'trap "" TERM; sleep 3172; :'; :`], "sleep 3172"],
    ["with a child in the background", ["sh", "-c", "sleep 3173 & sleep 3173"], "sleep 3173"],
    [
      "as root",
      ["root", "docker", "events", "--filter", "label=medic-test"],
      "docker events --filter label=medic-test",
    ],
  ] as const) {
    it(`kills a diagnostic past its deadline on the host: ${what}`, async () => {
      await open({ maxChannels: 1 });
      const running = transport.run(host, command, { ...read, commandSeconds: 1 });
      running.catch(() => {});
      assert.ok(await until(() => runs(trace), 10), "it never ran");
      await assert.rejects(running, { name: "CommandTimeout", dispatched: true });
      assert.ok(await until(async () => !(await runs(trace)), 3), "it is still running on the host");
      // There is one slot, so this waits for it.
      assert.equal((await transport.run(host, ["true"], { ...read, deadlineSeconds: 4 })).exit, 0);
      assert.equal((await counted()).accepted, 1);
    });
  }

  it("leaves a fix past its deadline alone: it goes on, and ends by itself", async () => {
    await open();
    const mark = "/tmp/medic-test-fix";
    await onHost(host, `rm -f ${mark}`);
    const fix = transport.run(host, ["sh", "-c", `sleep 3; : > ${mark}`], { ...read, kind: "fix", commandSeconds: 1 });
    await assert.rejects(fix, { name: "CommandTimeout", dispatched: true });
    assert.notEqual((await inHost(host, ["test", "-e", mark])).exit, 0, "it was over before its deadline");
    assert.ok(await until(async () => (await inHost(host, ["test", "-e", mark])).exit === 0, 6), "it was ended");
    await onHost(host, `rm ${mark}`);
  });

  it("carries a hundred cold commands over one login, and loses none", async () => {
    await open();
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, index) => transport.run(host, ["echo", String(index)], read)),
    );
    assert.deepEqual(
      results.map(({ exit, stdout }) => [exit, stdout]),
      Array.from({ length: 100 }, (_, index) => [0, `${index}\n`]),
    );
    const { accepted, sessions, droppedStartups } = await counted();
    assert.deepEqual({ accepted, sessions, droppedStartups }, { accepted: 1, sessions: 100, droppedStartups: 0 });
  });

  it("ends a connection that is idle for its time, and dials anew for the next command", async () => {
    await open({ idleTimeout: 1 });
    await transport.run(host, ["true"], read);
    assert.ok(await isConnected());
    assert.ok(await until(async () => !(await isConnected()), 4), "sshd still has the connection");
    assert.equal(transport.statistics()[0]?.closes["idle"], 1);
    await transport.run(host, ["true"], read);
    assert.equal((await counted()).accepted, 2);
  });

  it("ends no connection with a command in flight, however short the idle time", async () => {
    await open({ idleTimeout: 1 });
    const { exit } = await transport.run(host, ["sleep", "3"], read);
    assert.equal(exit, 0);
    assert.ok(await isConnected());
    assert.equal((await counted()).accepted, 1);
  });

  it("ends no idle connection when idle eviction is off", async () => {
    await open({ idleTimeout: 0 });
    await transport.run(host, ["true"], read);
    await onHost(host, "sleep 2");
    assert.ok(await isConnected());
  });

  it("refuses a host whose key is another one, and runs nothing there", async () => {
    const settings = config.hosts[host];
    assert.ok(settings !== undefined);
    const hostKey = labHost("nexus", lab).hostKey;
    transport = createTransport({ [host]: { ...settings, hostKey } }, { log: silent });
    ({ cursor } = await sshdCounts(host));
    await assert.rejects(transport.run(host, ["true"], read), (error: unknown) => {
      assert.ok(error instanceof TransportError);
      assert.deepEqual([error.kind, error.dispatched], ["HostKeyMismatch", false]);
      return true;
    });
    const { accepted, sessions } = await counted();
    assert.deepEqual([accepted, sessions], [0, 0]);
  });
});

describe("a serve that is told to stop", { timeout: 60_000 }, () => {
  let medic: OwnMedic;
  before(async () => {
    medic = await ownMedic();
    await startContainer(host, "sluggish", "--restart unless-stopped", 'trap "" TERM; while :; do sleep 1; done');
  });
  after(async () => {
    await medic.remove();
    await removeContainer(host, "sluggish");
  });

  it("waits for the fix that runs, lets go of the host, and ends with 0", async () => {
    const { cursor } = await sshdCounts(host);
    const began = await dockerNow(host);
    const serve = await medic.serve();
    const fix = medic.verb("tool", host, "docker_restart", "--name", "sluggish", "--graceSeconds", "3", "--yes");
    const isUnderWay = async () => (await dockerActions(host, "sluggish", began)).includes("kill");
    assert.ok(await until(isUnderWay, 20), "the fix did not begin");
    assert.equal(await serve.stop(), 0);
    await fix;
    const actions = await dockerActions(host, "sluggish", began);
    assert.equal(count(actions, "restart"), 1, actions.join(" "));
    const { accepted, sessionLog } = await sshdCounts(host, { key, since: cursor });
    assert.equal(accepted, 1);
    const port = sessionLog[0]?.from.split(" ").at(-1);
    assert.equal(await onHost(host, `ss -Htn state established "dport = :${port}"`), "");
    assert.equal(medic.journal((journal) => journal.verify()).intact, true);
  });
});

/** Whether any process on the host has this in its command line: the command, and what wraps it. */
async function runs(text: string): Promise<boolean> {
  return (await inHost(host, ["pgrep", "-f", text])).exit === 0;
}
