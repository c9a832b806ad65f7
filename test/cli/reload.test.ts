import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { createOutput } from "../../core/cli/context.ts";
import { runMedic } from "../../core/cli/medic.ts";
import { createReload, stampOf } from "../../core/cli/reload.ts";
import { ConfigError } from "../../core/config/problem.ts";
import { newToken } from "../../core/http/tokens.ts";
import { Collector, eventually } from "../support/scenario.ts";
import { keptLog } from "../support/ssh-host.ts";
import { startSshServer } from "../support/ssh-server.ts";

describe("the watch on hosts.yaml", () => {
  const watched = (known = "1") => {
    const file = { stamp: "1", wrong: false };
    const taken: string[] = [];
    const { log, events } = keptLog();
    const reload = createReload<string>({
      known,
      stamp: () => file.stamp,
      read: () => {
        const problem = { path: "hosts.nexus.trsut", line: 3, column: 5, message: "unknown key" };
        if (file.wrong) return Promise.reject(new ConfigError("hosts.yaml", [problem]));
        return Promise.resolve(`settings ${file.stamp}`);
      },
      take: (settings, why) => void taken.push(`${settings} (${why})`),
      log,
    });
    return { file, taken, events, reload };
  };

  it("reads a file that changed and stayed so for one look, once", async () => {
    const { file, taken, reload } = watched();
    await reload.look();
    file.stamp = "2";
    await reload.look();
    assert.deepEqual(taken, []);
    await reload.look();
    await reload.look();
    assert.deepEqual(taken, ["settings 2 (the file changed)"]);
  });

  it("reads a file that changed after it was read for the start, and before anybody looked", async () => {
    const { taken, reload } = watched("0");
    await reload.look();
    await reload.look();
    assert.deepEqual(taken, ["settings 1 (the file changed)"]);
  });

  it("waits while the file is still being written", async () => {
    const { file, taken, reload } = watched();
    for (const stamp of ["2", "3", "4"]) {
      file.stamp = stamp;
      await reload.look();
    }
    assert.deepEqual(taken, []);
    await reload.look();
    assert.deepEqual(taken, ["settings 4 (the file changed)"]);
  });

  it("reads at once when a person says so, and not again for the same change", async () => {
    const { file, taken, reload } = watched();
    file.stamp = "2";
    await reload.now("SIGHUP");
    await reload.look();
    await reload.look();
    assert.deepEqual(taken, ["settings 2 (SIGHUP)"]);
  });

  it("keeps what it has when the file is wrong, says each problem once, and takes the next good one", async () => {
    const { file, taken, events, reload } = watched();
    Object.assign(file, { stamp: "2", wrong: true });
    for (let looks = 0; looks < 4; looks += 1) await reload.look();
    assert.deepEqual(taken, []);
    assert.deepEqual(
      events.map(({ level, event, fields }) => [level, event, fields["problem"]]),
      [["error", "config_rejected", "hosts.yaml:3:5 hosts.nexus.trsut: unknown key"]],
    );
    Object.assign(file, { stamp: "3", wrong: false });
    await reload.look();
    await reload.look();
    assert.deepEqual(taken, ["settings 3 (the file changed)"]);
  });

  it("sees a file that was written over, exchanged, is gone, or cannot be looked at", () => {
    const folder = mkdtempSync(join(tmpdir(), "medic-stamp-"));
    const file = join(folder, "hosts.yaml");
    const stamps = [stampOf(file)];
    writeFileSync(file, "one");
    stamps.push(stampOf(file));
    writeFileSync(file, "other");
    stamps.push(stampOf(file));
    writeFileSync(`${file}.new`, "other");
    renameSync(`${file}.new`, file);
    stamps.push(stampOf(file));
    assert.equal(new Set(stamps).size, 4);
    assert.equal(stampOf(file), stamps[3]);
    const loop = join(folder, "loop.yaml");
    symlinkSync(loop, loop);
    assert.match(stampOf(loop), /^unreadable:/);
    rmSync(folder, { recursive: true });
  });
});

/** `medic serve` with two hosts, in this process; `change` edits hosts.yaml and hangs up. */
async function serving({ hangsUpAtOnce = false } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "medic-reload-"));
  const [one, two] = [await startSshServer(), await startSshServer()];
  const { token, sha256 } = newToken();
  const file = join(folder, "hosts.yaml");
  const host = (name: string, server: typeof one): string => {
    writeFileSync(join(folder, name), server.clientKey.private, { mode: 0o600 });
    return `  ${name}: { address: 127.0.0.1, port: ${server.port}, user: medic, identity: ${name}, hostKey: "${server.fingerprint}", trust: observe, pool: { idleTimeout: 5m, warmChannels: off } }\n`;
  };
  writeFileSync(
    file,
    `server: { listen: "127.0.0.1:0", data: data, tokens: [{ name: monitor, sha256: ${sha256} }] }\nhosts:\n${host("one", one)}${host("two", two)}`,
    { mode: 0o600 },
  );
  const stop = new AbortController();
  const [stdout, stderr] = [new Collector(), new Collector()];
  let hangup: (() => void) | undefined;
  const ended = runMedic(["serve"], {
    env: {},
    home: folder,
    folder,
    out: createOutput({ stdout, stderr } as never, {}),
    onHangup: (listener) => {
      hangup = listener;
      if (hangsUpAtOnce) listener();
      return () => (hangup = undefined);
    },
    stop: stop.signal,
  });
  const urlOf = (): string | undefined => /medic_serving .*url=(\S+)/.exec(stdout.text)?.[1];
  await eventually("medic serve to listen", () => urlOf() !== undefined && hangup !== undefined);
  const ask = (path: string, body?: object): Promise<Response> =>
    fetch(new URL(path, urlOf()), {
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
  return {
    folder,
    one,
    two,
    ask,
    log: () => stdout.text,
    async look(name: string): Promise<number> {
      const response = await ask(`/hosts/${name}/tools/host_overview`, { input: {} });
      await response.body?.cancel();
      return response.status;
    },
    async change(edit: (text: string) => string, expected: string): Promise<void> {
      await this.exchange(() => writeFileSync(file, edit(readFileSync(file, "utf8"))), expected);
    },
    /** Answers with what was logged since. */
    async exchange(exchange: (file: string) => void, expected: string): Promise<string> {
      const before = stdout.text.length;
      exchange(file);
      hangup?.();
      await eventually(expected, () => stdout.text.slice(before).includes(expected));
      return stdout.text.slice(before);
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new DOMException("the test is over", "AbortError"));
      assert.equal((await ended).valueOf(), 0, stderr.text);
      assert.equal(hangup, undefined);
      await one.close();
      await two.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

describe("medic serve, while hosts.yaml changes", () => {
  it("goes on when the file cannot even be looked at, says so, and takes it up when it can", async () => {
    await using world = await serving();
    const whole = await world.exchange((file) => {
      renameSync(file, `${file}.kept`);
      symlinkSync(file, file);
    }, "config_rejected");
    assert.match(whole, /the settings from before go on/);
    assert.equal(await world.look("two"), 200);
    await world.exchange((file) => renameSync(`${file}.kept`, file), "config_reloaded");
  });

  it("reads it again after a SIGHUP that came while it started", async () => {
    await using world = await serving({ hangsUpAtOnce: true });
    await eventually("the reading", () => world.log().includes("config_reloaded by=SIGHUP"));
  });

  it("connects anew only to the host whose connection changed", async () => {
    await using world = await serving();
    await world.look("one");
    await world.look("two");
    assert.deepEqual([world.one.counts.authenticated, world.two.counts.authenticated], [1, 1]);
    await world.change((text) => text.replace(/(one: .*idleTimeout): 5m/, "$1: 4m"), "config_reloaded");
    assert.match(world.log(), /config_reloaded by=SIGHUP hosts=2 added="" removed="" reconnected=one/);
    await world.look("one");
    await world.look("two");
    assert.deepEqual([world.one.counts.authenticated, world.two.counts.authenticated], [2, 1]);
    assert.match(world.log(), /ssh_connection_closed host=one reason=reconfigured/);
  });

  it("leaves connections alone when only trust changed, forgets hosts and takes new ones", async () => {
    await using world = await serving();
    await world.look("one");
    await world.change((text) => text.replaceAll("trust: observe", "trust: disruptive"), 'reconnected=""');
    await world.look("one");
    assert.equal(world.one.counts.authenticated, 1);
    await world.change((text) => text.replace(/^ {2}two: /m, "  three: "), "added=three removed=two");
    assert.equal(await world.look("two"), 404);
    assert.equal(await world.look("three"), 200);
  });

  it("keeps its settings when the file is wrong, and says what is wrong", async () => {
    await using world = await serving();
    await world.change((text) => text.replace("two: {", "two: { trsut: observe,"), "config_rejected");
    assert.match(world.log(), /config_rejected .*hosts\.two\.trsut: unknown key/);
    assert.equal(await world.look("two"), 200);
  });

  it("takes all of a file or nothing: what cannot be written down changes no host either", async () => {
    await using world = await serving();
    const edit = (file: string): void => {
      const added =
        'notify: [{ name: phone, webhook: { url: "http://127.0.0.1:9/", secret: 0123456789abcdef0123456789abcdef } }]';
      writeFileSync(file, `${readFileSync(file, "utf8").replace(/^ {2}two: /m, "  three: ")}${added}\n`);
    };
    const other = new DatabaseSync(join(world.folder, "data", "journal.sqlite"));
    other.exec("BEGIN IMMEDIATE");
    const said = await world.exchange(edit, "config_rejected");
    assert.match(said, /another program holds the file/);
    assert.equal(await world.look("two"), 200);
    other.exec("ROLLBACK");
    other.close();
    await world.exchange(() => undefined, "added=three removed=two");
    assert.equal(await world.look("two"), 404);
  });

  it("forgets a token at once, and says that another address needs a restart", async () => {
    await using world = await serving();
    assert.equal((await world.ask("/hosts")).status, 200);
    await world.change((text) => text.replace("127.0.0.1:0", "127.0.0.1:8499"), "restart_needed");
    assert.match(world.log(), /restart_needed setting=server\.listen/);
    await world.change((text) => text.replace(/tokens: \[.*?\]/, "tokens: []"), "config_reloaded");
    assert.equal((await world.ask("/hosts")).status, 401);
  });
});
