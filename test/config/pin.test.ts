import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pinHostKey } from "../../core/config/pin.ts";

const key = `SHA256:${"a".repeat(43)}`;
const old = `SHA256:${"b".repeat(43)}`;
const pinned = (text: string, host = "nexus"): string => {
  const result = pinHostKey(text, host, key);
  assert.ok("text" in result, JSON.stringify(result));
  return result.text;
};
const cannot = (text: string, host = "nexus"): string => {
  const result = pinHostKey(text, host, key);
  assert.ok("cannot" in result, JSON.stringify(result));
  return result.cannot;
};

describe("pinning a key in the text of hosts.yaml", () => {
  const before = `# mine
hosts:
    # the camera server
    nexus:   # 4 blanks
        address:  192.0.2.11   # odd  blanks
        identity: '~/.ssh/key' # quoted
        pool: { idleTimeout:   30s }

    self: {transport: local}
`;

  it("adds one line beside the identity and leaves every other byte alone", () => {
    const line = `        hostKey: ${key}\n`;
    const at = before.indexOf("        pool:");
    assert.equal(pinned(before), before.slice(0, at) + line + before.slice(at));
  });

  it("puts a new key in an old one's place, comment and quotes aside", () => {
    for (const written of [old, `"${old}"`, `'${old}'`]) {
      const text = `hosts:\n  nexus:\n    address: nexus\n    hostKey: ${written} # rebuilt\n`;
      assert.equal(pinned(text), `hosts:\n  nexus:\n    address: nexus\n    hostKey: ${key} # rebuilt\n`);
    }
  });

  it("writes into a mapping on one line, into a file without a last line break, and with Windows line ends", () => {
    assert.equal(
      pinned("hosts: { nexus: { address: nexus, user: medic } }\n"),
      `hosts: { nexus: { address: nexus, hostKey: ${key}, user: medic } }\n`,
    );
    assert.equal(
      pinned("hosts:\n  nexus:\n    address: nexus"),
      `hosts:\n  nexus:\n    address: nexus\n    hostKey: ${key}\n`,
    );
    assert.equal(
      pinned("hosts:\r\n  nexus:\r\n    address: nexus\r\n    user: medic\r\n"),
      `hosts:\r\n  nexus:\r\n    address: nexus\r\n    hostKey: ${key}\r\n    user: medic\r\n`,
    );
  });

  it("refuses where the line would mean more than this host", () => {
    assert.match(cannot("hosts:\n  nexus: &x\n    address: nexus\n  other: *x\n"), /change more than this host/);
    assert.match(cannot("hosts:\n  other: &x\n    address: nexus\n  nexus: *x\n"), /not written out there/);
  });

  it("refuses a key that comes from the environment, an unknown host, and what is no YAML", () => {
    assert.match(cannot("hosts:\n  nexus:\n    address: nexus\n    hostKey: ${KEY}\n"), /from the environment/);
    assert.match(cannot("hosts:\n  other:\n    address: nexus\n"), /not written out there/);
    assert.match(cannot("hosts: [\n"), /not written out there/);
    assert.match(cannot("hosts:\n  nexus:\n    address: nexus\n    hostKey:\n"), /only a person/);
  });
});
