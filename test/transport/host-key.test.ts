import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { fingerprint, hostKeyAlgorithms, judgeHostKey, keyType } from "../../core/transport/host-key.ts";
import { generateKeyPair } from "../../core/sandbox/key-pair.ts";
import { publicBlob } from "../support/ssh-server.ts";

const ours = publicBlob(generateKeyPair());
const other = publicBlob(generateKeyPair());
const line = (names: string, key = ours) => `${names} ssh-ed25519 ${key.toString("base64")} somebody@somewhere`;
const rules = (knownHosts: string, address = "nexus", port = 22) => ({ address, port, knownHosts });

function hashed(name: string): string {
  const salt = Buffer.from("01234567890123456789");
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}

describe("a pinned fingerprint", () => {
  it("alone trusts its key", () => {
    assert.deepEqual(judgeHostKey(ours, { ...rules(line("nexus", other)), pin: fingerprint(ours) }), { is: "trusted" });
    assert.deepEqual(judgeHostKey(ours, { ...rules(""), pin: `${fingerprint(ours)}=` }), { is: "trusted" });
  });

  it("refuses another key, even one that known_hosts has", () => {
    const verdict = judgeHostKey(ours, { ...rules(line("nexus")), pin: fingerprint(other) });
    assert.deepEqual(verdict, { is: "changed", expected: [fingerprint(other)] });
  });
});

describe("known_hosts", () => {
  it("trusts the key of a plain name, and of no other name", () => {
    assert.equal(judgeHostKey(ours, rules(line("nexus"))).is, "trusted");
    assert.equal(judgeHostKey(ours, rules(line("nexus2"))).is, "unknown");
    assert.equal(judgeHostKey(ours, rules(line("NEXUS,192.0.2.11"))).is, "trusted");
  });

  it("wants the port in brackets when it is not 22", () => {
    assert.equal(judgeHostKey(ours, rules(line("[nexus]:2222"), "nexus", 2222)).is, "trusted");
    assert.equal(judgeHostKey(ours, rules(line("nexus"), "nexus", 2222)).is, "unknown");
    assert.equal(judgeHostKey(ours, rules(line("[nexus]:2222"))).is, "unknown");
  });

  it("reads hashed names, and no others' hashes", () => {
    assert.equal(judgeHostKey(ours, rules(line(hashed("nexus")))).is, "trusted");
    assert.equal(judgeHostKey(ours, rules(line(hashed("[nexus]:2222")), "nexus", 2222)).is, "trusted");
    assert.equal(judgeHostKey(ours, rules(line(hashed("other")))).is, "unknown");
    assert.equal(judgeHostKey(ours, rules(line("|1|broken"))).is, "unknown");
  });

  it("reads patterns, and what they leave out", () => {
    assert.equal(judgeHostKey(ours, rules(line("*.lan,nex?s"))).is, "trusted");
    assert.equal(judgeHostKey(ours, rules(line("*,!nexus"))).is, "unknown");
    assert.equal(judgeHostKey(ours, rules(line("n.xus"))).is, "unknown");
  });

  it("says changed with the fingerprints that were expected", () => {
    assert.deepEqual(judgeHostKey(ours, rules(line("nexus", other))), {
      is: "changed",
      expected: [fingerprint(other)],
    });
  });

  it("refuses a revoked key, whatever else trusts it", () => {
    const text = `${line("nexus")}\n@revoked ${line("*")}`;
    assert.equal(judgeHostKey(ours, rules(text)).is, "revoked");
    assert.equal(judgeHostKey(other, rules(`${line("nexus", other)}\n@revoked ${line("*")}`)).is, "trusted");
  });

  it("skips comments, blank lines, authorities and rubbish", () => {
    const text = `# nexus ssh-ed25519 AAAA\n\n@cert-authority ${line("nexus")}\nnexus\nnexus ssh-ed25519`;
    assert.equal(judgeHostKey(ours, rules(text)).is, "unknown");
  });
});

describe("the host key that is asked for", () => {
  it("is of a known type first, so that a host with several keys does not look changed", () => {
    assert.equal(hostKeyAlgorithms(rules(line("nexus")))[0], "ssh-ed25519");
    const rsa = Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from("ssh-rsa"), Buffer.alloc(8)]);
    assert.equal(keyType(rsa), "ssh-rsa");
    assert.deepEqual(hostKeyAlgorithms(rules(line("nexus", rsa))).slice(0, 3), [
      "rsa-sha2-512",
      "rsa-sha2-256",
      "ssh-ed25519",
    ]);
  });
});
