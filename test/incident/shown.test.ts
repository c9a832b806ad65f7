import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { commandInBrief, commandText } from "../../core/incident/shown.ts";
import { script } from "../../core/plugin/contract.ts";

describe("a command that a person reads", () => {
  const made = script("root docker image tag \"$1\" 'x'\nexit 0", "sha256:ab", "web one\nsudo reboot");

  it("is whole, and spells out what cannot be seen", () => {
    assert.equal(commandText(["root", "docker", "start", "--", "a\nb"]), "sudo docker start -- 'a\\u{a}b'");
  });

  it("has the lines of a script further in, and no line that a value made", () => {
    assert.equal(
      commandText(made),
      "sh -c 'root docker image tag \"$1\" '\\''x'\\''\n      exit 0' medic sha256:ab 'web one\\u{a}sudo reboot'",
    );
  });

  it("has of a script only the values on a phone, and a plain command whole", () => {
    assert.equal(
      commandInBrief(made),
      "sh -c (2 lines of the plugin's own: medic explain) medic sha256:ab 'web one\\u{a}sudo reboot'",
    );
    assert.equal(commandInBrief(["root", "docker", "start", "--", "web"]), "sudo docker start -- web");
  });
});
