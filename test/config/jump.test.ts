import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { complaints, read } from "./reading.ts";

const host = (name: string, jump?: string) =>
  `  ${name}: { address: 192.0.2.11, user: medic, identity: ~/.ssh/key${jump === undefined ? "" : `, jump: ${jump}`} }\n`;
const hosts = (...lines: string[]) => `hosts:\n${lines.join("")}`;

describe("jump", () => {
  it("names another host, which may have a jump of its own", () => {
    const config = read(hosts(host("inner", "middle"), host("middle", "bastion"), host("bastion")));
    assert.equal(config.hosts["inner"]?.jump, "middle");
    assert.equal(config.hosts["middle"]?.jump, "bastion");
    assert.equal(config.hosts["bastion"]?.jump, undefined);
  });

  it("to a name that is no host is refused, with the one that may be meant", () => {
    const [complaint] = complaints(hosts(host("inner", "bastoin"), host("bastion")));
    assert.match(complaint ?? "", /hosts\.inner\.jump: "bastoin" is not among hosts .*did you mean "bastion"\?/);
  });

  it("through this machine is refused", () => {
    const [complaint] = complaints(hosts(host("inner", "self"), "  self: { transport: local }\n"));
    assert.match(complaint ?? "", /hosts\.inner\.jump: "self" is this machine/);
  });

  it("of this machine is refused", () => {
    const [complaint] = complaints(hosts(host("bastion"), "  self: { transport: local, jump: bastion }\n"));
    assert.match(complaint ?? "", /hosts\.self\.jump: is for hosts reached over ssh/);
  });

  it("in a circle is refused at every host of it, and at no other", () => {
    const found = complaints(hosts(host("a", "b"), host("b", "c"), host("c", "a"), host("outside", "a")));
    assert.equal(found.length, 3);
    assert.match(found[0] ?? "", /hosts\.a\.jump: leads back to where it began: "a" → "b" → "c" → "a"/);
    assert.match(complaints(hosts(host("a", "a")))[0] ?? "", /hosts\.a\.jump: leads back .*"a" → "a"/);
  });
});
