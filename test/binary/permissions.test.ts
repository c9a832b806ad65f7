// Deno from source with the permissions that docs/binary.md lists: exactly those suffice, and each of them is needed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { newToken } from "../../core/http/tokens.ts";
import { createSandbox, type Sandbox } from "../../core/sandbox/sandbox.ts";
import { bareEnvironment, root, run } from "./built.ts";

const deno = join(root, "node_modules/deno/deno");
const page = readFileSync(join(root, "docs/binary.md"), "utf8");

/** The arguments after `deno`, as the page gives them for a verb, from another folder. */
function commandFor(verb: string): string[] {
  const blocks = [...page.matchAll(/```sh\ndeno (run [^`]*)```/g)].map(([, text = ""]) => text);
  const block = blocks.find((text) => text.includes(`main.ts ${verb}`));
  assert.ok(block !== undefined, `docs/binary.md has no command for "${verb}"`);
  const words = block.replaceAll("\\\n", " ").trim().split(/\s+/);
  return words.map((word) => (word === "core/main.ts" ? join(root, word) : word));
}

/** The same command with one permission fewer, in every way there is, each with what is gone. */
function fewer(command: readonly string[]): (readonly [gone: string, command: string[]])[] {
  return command.flatMap((word, at) => {
    const [flag = "", list] = word.split("=");
    if (!flag.startsWith("--allow-")) return [];
    const names = list?.split(",") ?? [];
    const without = (name: string): string[] => {
      const rest = names.filter((one) => one !== name);
      return command.toSpliced(at, 1, ...(rest.length === 0 ? [] : [`${flag}=${rest.join(",")}`]));
    };
    return names.map((name) => [`${flag}=${name}`, without(name)] as const);
  });
}

describe("the demo under Deno", { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "medic-permissions-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const command = [...commandFor("demo"), "--json"];

  it("passes with the permissions of docs/binary.md", async () => {
    const { code, stderr } = await run([deno, ...command], folder);
    assert.equal(code, 0, stderr);
  });

  for (const [gone, less] of fewer(command)) {
    it(`fails without ${gone}`, async () => {
      const { code, stderr } = await run([deno, ...less], folder);
      assert.notEqual(code, 0);
      assert.match(stderr, /NotCapable|Requires \w+ access/);
    });
  }
});

describe("serve under Deno", { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "medic-permissions-"));
  const { token, sha256 } = newToken();
  let sandbox: Sandbox;
  let command: string[];

  before(async () => {
    sandbox = await createSandbox();
    const { address, port, user, identity, hostKey } = sandbox;
    const nexus = {
      address,
      port,
      user,
      identity,
      hostKey,
      trust: "disruptive",
      plugins: { docker: {}, scrypted: {} },
    };
    const server = { listen: "127.0.0.1:0", data: "data", tokens: [{ name: "monitor", sha256 }] };
    const file = { server, limits: { stable: "1s" }, hosts: { nexus } };
    writeFileSync(join(folder, "hosts.yaml"), JSON.stringify(file), { mode: 0o600 });
    command = commandFor("serve").map((word) =>
      word
        .replace("127.0.0.1:8484", "127.0.0.1:0")
        .replace("192.0.2.11:22", `${address}:${port}`)
        .replace("/home/medic/.ssh/medic_ed25519", identity),
    );
  });
  after(async () => {
    await sandbox.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts serve; `said` waits for words in its log, and throws with the log when it ends, or waits, without them. */
  function start(args: readonly string[]) {
    const child = spawn(deno, args, { cwd: folder, env: bareEnvironment(folder) });
    let log = "";
    const hear = (chunk: Buffer): void => void (log += chunk.toString());
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    const ended = once(child, "close");
    return {
      async said(words: RegExp): Promise<string> {
        const until = AbortSignal.timeout(30_000);
        for (;;) {
          const found = words.exec(log)?.[1];
          if (found !== undefined) return found;
          if (child.exitCode !== null || until.aborted) throw new Error(log);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      },
      async stop(signal: NodeJS.Signals): Promise<number | null> {
        child.kill(signal);
        await ended;
        return child.exitCode;
      },
    };
  }

  it("heals with the permissions of docs/binary.md", async () => {
    const serve = start(command);
    try {
      const url = await serve.said(/medic_serving .*url=(\S+)/);
      await sandbox.homelab.run("docker stop scrypted");
      assert.equal((await post(url, token)).status, 202);
      assert.equal(await serve.said(/incident_(resolved|escalated|dismissed)/), "resolved");
    } finally {
      assert.equal(await serve.stop("SIGTERM"), 0);
    }
  });

  it("fails without any of those that name no host", async () => {
    const host = `--allow-net=${sandbox.address}:${sandbox.port}`;
    for (const [gone, less] of fewer(command).filter(([name]) => name !== host)) {
      const serve = start(less);
      try {
        // oxlint-disable-next-line no-await-in-loop
        assert.ok(await serve.said(/(NotCapable|Requires \w+ access)/), gone);
      } finally {
        // oxlint-disable-next-line no-await-in-loop
        await serve.stop("SIGKILL");
      }
    }
  });
});

function post(url: string, token: string): Promise<Response> {
  const labels = { alertname: "ScryptedDown", host: "nexus", service: "scrypted" };
  const times = { startsAt: new Date().toISOString(), endsAt: "0001-01-01T00:00:00Z" };
  const alert = { status: "firing", labels, annotations: {}, ...times, generatorURL: "", fingerprint: "5d0a3c1e" };
  const group = { version: "4", groupKey: "{}", truncatedAlerts: 0, status: "firing", receiver: "medic" };
  return fetch(`${url}/webhooks/alertmanager`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({
      ...group,
      groupLabels: {},
      commonLabels: labels,
      commonAnnotations: {},
      externalURL: "",
      alerts: [alert],
    }),
  });
}
