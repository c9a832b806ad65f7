// Looking at the world outside the transport, and playing the parts around it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import ssh2 from "ssh2";
import ssh2Package from "ssh2/package.json" with { type: "json" };

/** Waits up to 4 s for something that the test cannot be told of. */
export async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`did not come true within 4 s: ${holds.toString()}`);
}

/** Runs as if another ssh2 were installed, whose insides nobody has read. */
export async function withUnknownSsh2(test: () => Promise<void>): Promise<void> {
  const { version } = ssh2Package;
  ssh2Package.version = "999.0.0";
  try {
    await test();
  } finally {
    ssh2Package.version = version;
  }
}

/** An ssh-agent that holds one key. */
export async function startAgent(path: string, privateKey: string) {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  const server = createServer((socket) => {
    const protocol = new ssh2.AgentProtocol(false);
    protocol.on("identities", (request) => protocol.getIdentitiesReply(request, [key]));
    protocol.on("sign", (request, _key, data) => protocol.signReply(request, key.sign(data)));
    socket.pipe(protocol).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

// A zombie is dead; whoever should have reaped it is not what the test looks at.
export function isAlive(pid: number): boolean {
  const state = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();
  return state !== "" && !state.startsWith("Z");
}
