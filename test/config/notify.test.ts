import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { redactedConfig } from "../../core/config/redaction.ts";
import { changeNames } from "../../core/notify/change.ts";
import { complaints, read, self } from "./reading.ts";

const notify = (...channels: string[]): string =>
  `notify:\n${channels.map((one) => `  - { ${one} }\n`).join("")}${self}`;
const ntfy = "ntfy: { url: https://ntfy.example, topic: medic }";
const webhook = "webhook: { url: https://hook.example/x?y=z, secret: s3cret }";

describe("the channels of hosts.yaml", () => {
  it("have a name and what they are told of, written or not", () => {
    const config = read(notify(ntfy, `name: two, ${webhook}, on: [${changeNames.join(", ")}]`));
    const on = ["approval", "fixed", "resolved", "escalated"];
    assert.deepEqual(config.notify, [
      { name: "ntfy", on, ntfy: { url: "https://ntfy.example", topic: "medic" } },
      { name: "two", on: [...changeNames], webhook: { url: "https://hook.example/x?y=z", secret: "s3cret" } },
    ]);
    assert.deepEqual(read(self).notify, []);
    assert.deepEqual(read(`notify:\n${self}`).notify, []);
  });

  it("have their secrets in files too", () => {
    const text = notify(
      "ntfy: { url: https://ntfy.example, topic: medic, tokenFile: token }",
      "webhook: { url: https://hook.example, secretFile: /run/secret }",
    );
    const config = read(text, { secrets: { "/etc/medic/token": "tk", "/run/secret": "s" } });
    const [first, second] = config.notify;
    assert.equal(first !== undefined && "ntfy" in first && first.ntfy.token, "tk");
    assert.equal(second !== undefined && "webhook" in second && second.webhook.secret, "s");
    assert.match(complaints(text)[0] ?? "", /notify\[0\]\.ntfy\.tokenFile: cannot be read/);
    assert.doesNotMatch(JSON.stringify(redactedConfig(config)), /"tk"|"s"/);
  });

  const refused: [what: string, channels: string[], says: RegExp][] = [
    ["a channel of no kind", ["name: x"], /notify\[0\]: has to be one of ntfy and webhook/],
    ["a channel of both kinds", [`${ntfy}, ${webhook}`], /notify\[0\]: has to be one of ntfy and webhook/],
    ["two of one name", [ntfy, ntfy], /notify\[1\]: "ntfy" is the name of another channel too/],
    ["an unknown kind", ["nfty: { url: https://x, topic: y }"], /unknown key.*ntfy/],
    ["an unknown change", [`${ntfy}, on: [escalate]`], /notify\[0\]\.on\[0\]: expected opened or approval/],
    ["no change at all", [`${ntfy}, on: []`], /a list of at least 1/],
    ["a webhook without a secret", ["webhook: { url: https://x }"], /needs a secret or a secretFile/],
    [
      "two secrets",
      ["webhook: { url: https://x, secret: a, secretFile: b }"],
      /webhook\.secretFile: is one too many beside secret/,
    ],
    ["two tokens", ["ntfy: { url: https://x, topic: y, token: a, tokenFile: b }"], /tokenFile: is one too many/],
    ["another scheme", ["ntfy: { url: ftp://x, topic: y }"], /url: expected an http\(s\) URL without a login/],
    ["a login in the address", ["ntfy: { url: https://a:b@x, topic: y }"], /url: expected an http\(s\) URL/],
    ["a topic that is a path", ["ntfy: { url: https://x, topic: a/b }"], /topic: expected a topic/],
  ];
  for (const [what, channels, says] of refused)
    it(`are refused with ${what}`, () => assert.match(complaints(notify(...channels)).join("\n"), says));
});
