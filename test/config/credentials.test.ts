import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { requireKeys } from "../../core/cli/keys.ts";
import { loadConfig } from "../../core/config/load.ts";
import { generateKeyPair } from "../../core/sandbox/key-pair.ts";

const root = mkdtempSync(join(tmpdir(), "medic-credentials-"));
after(() => rmSync(root, { recursive: true }));
const credentials = join(root, "credentials");
mkdirSync(credentials);
writeFileSync(join(root, "key"), generateKeyPair().private, { mode: 0o600 });
writeFileSync(
  join(root, "hosts.yaml"),
  `hosts:
  nexus: { address: 192.0.2.1, user: medic, identity: key }
notify: [{ ntfy: { url: "https://ntfy.example", topic: medic, tokenFile: ntfy } }]
`,
);
const read = (env: Record<string, string>) => loadConfig(join(root, "hosts.yaml"), { env, home: root }).config;
const env = { CREDENTIALS_DIRECTORY: `${credentials}/` };

describe("what systemd hands over", () => {
  it("counts in place of the file of its name, also with the mode that its access list shows", async () => {
    copyFileSync(join(root, "key"), join(credentials, "key"));
    writeFileSync(join(credentials, "ntfy"), "tk_handed\n");
    for (const name of ["key", "ntfy"]) chmodSync(join(credentials, name), 0o440);
    const config = read(env);
    assert.equal(config.hosts["nexus"]?.identity, join(credentials, "key"));
    const [channel] = config.notify;
    assert.equal(channel !== undefined && "ntfy" in channel && channel.ntfy.token, "tk_handed");
    await requireKeys(Object.values(config.hosts), env);
    // The same file by its own path is one that others can read.
    await assert.rejects(requireKeys(Object.values(config.hosts), {}), /others can read it \(mode 440\)/);
  });

  it("leaves alone what it has no file for, and everything where it hands nothing over", () => {
    rmSync(join(credentials, "key"));
    writeFileSync(join(root, "ntfy"), "tk_own\n", { mode: 0o644 });
    assert.equal(read(env).hosts["nexus"]?.identity, join(root, "key"));
    assert.throws(() => read({}), /others can read it/);
    chmodSync(join(root, "ntfy"), 0o600);
    const [channel] = read({ CREDENTIALS_DIRECTORY: "" }).notify;
    assert.equal(channel !== undefined && "ntfy" in channel && channel.ntfy.token, "tk_own");
  });
});
