import assert from "node:assert/strict";
import { describe, it } from "node:test";
import process from "node:process";
import { presentable } from "../../core/agent/redact.ts";
import { redactText } from "../../core/secrets/redact.ts";
import { leaky, plain } from "./redaction-corpus.ts";

const PIECE = 6;

/** The line without its marks, and the secrets that stood in them. */
function unmarked(line: string): { text: string; secrets: string[] } {
  const secrets = [...line.matchAll(/«([^»]*)»/g)].map(([, secret = ""]) => secret);
  return { text: line.replaceAll(/[«»]/g, ""), secrets };
}

/** Each piece of a secret that is still there; one shorter than a piece counts whole. */
function left(secrets: readonly string[], shown: string): string[] {
  return secrets.flatMap((secret) => {
    const last = Math.max(0, secret.length - PIECE);
    const pieces = Array.from({ length: last + 1 }, (_, at) => secret.slice(at, at + PIECE));
    return pieces.filter((piece) => /\w/.test(piece) && shown.includes(piece));
  });
}

describe("the corpus of secrets", () => {
  it("is large enough to mean something", () => {
    assert.ok(leaky.length >= 80, `${leaky.length} lines with secrets`);
    assert.ok(plain.length >= 60, `${plain.length} lines without`);
    for (const line of leaky) assert.ok(unmarked(line).secrets.length > 0, line);
  });

  it("leaves no piece of a secret, alone or between other lines", () => {
    const leaks = leaky.flatMap((line) => {
      const { text, secrets } = unmarked(line);
      const amid = `before it\n${text}\nafter it`;
      return [text, amid].flatMap((shown) => {
        const pieces = left(secrets, redactText(shown));
        return pieces.length === 0 ? [] : [{ shown, redacted: redactText(shown), pieces: pieces.slice(0, 3) }];
      });
    });
    assert.deepEqual(leaks, []);
  });

  it("leaves none in a finding: as a text, in a list of lines, and as JSON inside JSON", () => {
    const leaks = leaky.flatMap((line) => {
      const { text, secrets } = unmarked(line);
      const findings = [
        { said: text },
        { lines: ["before", ...text.split("\n"), "after"] },
        { said: JSON.stringify({ text }) },
      ];
      return findings.flatMap((finding) => {
        const shown = JSON.stringify(presentable(finding, 65_536));
        const escaped = secrets.map((secret) => JSON.stringify(secret).slice(1, -1));
        const isSplit = "lines" in finding && text.includes("\n") && !/PRIVATE KEY/.test(text);
        return isSplit || left([...secrets, ...escaped], shown).length === 0 ? [] : [{ finding, shown }];
      });
    });
    assert.deepEqual(leaks, []);
  });

  it("changes nothing in what is no secret", () => {
    for (const line of plain) assert.equal(redactText(line), line);
    assert.equal(redactText(plain.join("\n")), plain.join("\n"));
  });

  it("says the same when it is done twice", () => {
    for (const line of [...leaky, ...plain]) {
      const once = redactText(unmarked(line).text);
      assert.equal(redactText(once), once);
    }
  });
});

describe("redaction of what has a shape", () => {
  it("takes the value of a secret name whatever its kind, and leaves its neighbours", () => {
    assert.deepEqual(
      presentable({ password: "x1", pin: 1, apiKey: 1234, auth: { user: "u" }, empty: { secret: "" } }, 1000),
      {
        password: "[removed]",
        pin: 1,
        apiKey: "[removed]",
        auth: "[removed]",
        empty: { secret: "" },
      },
    );
  });

  it("takes all values of an environment, and leaves the names", () => {
    const finding = { Env: ["TZ=Europe/Berlin", "EMPTY=", "FLAG"], environment: { A: "b" }, env: "one" };
    assert.deepEqual(presentable(finding, 1000), {
      Env: ["TZ=[removed]", "EMPTY=", "FLAG"],
      environment: { A: "[removed]" },
      env: "[removed]",
    });
  });

  it("takes the value beside a secret name, and not beside another one", () => {
    const pair = (name: string): object => ({ name, value: "abcdefgh" });
    assert.deepEqual(presentable({ all: [pair("DB_PASSWORD"), pair("COLOR")] }, 1000), {
      all: [{ name: "DB_PASSWORD", value: "[removed]" }, pair("COLOR")],
    });
  });

  it("takes the argument behind an option that names a secret, and not the option behind it", () => {
    assert.deepEqual(presentable({ argv: ["x", "--token", "abc", "--secret", "--loud", "y"] }, 1000), {
      argv: ["x", "--token", "[removed]", "--secret", "--loud", "y"],
    });
  });

  it("takes a private key that lies over the items of a list, and what follows its end is left", () => {
    const lines = ["a", "-----BEGIN PRIVATE KEY-----", "QQ==", "-----END PRIVATE KEY-----", "b"];
    const removed = "[private key removed]";
    assert.deepEqual(presentable({ lines }, 1000), { lines: ["a", removed, removed, removed, "b"] });
  });

  it("takes a secret that is a key of an object", () => {
    assert.deepEqual(presentable({ "sk-ant-api03-0123456789abcdef": 1 }, 1000), { "[token removed]": 1 });
  });
});

describe("redaction of a text that was made to be slow", () => {
  const pieces = [
    ...'a|a.|a-|a:|A1b/|://|://:|://a:a@|--|-- |-p |mysql |curl -u |password=|password: |password="|password=\'\n|token\\"|eyJ|eyJ.|sk-|Basic |Authorization: |Cookie: |-----BEGIN |-----END |PRIVATE KEY'.split(
      "|",
    ),
    '"Env":[',
    '"Env":["',
    'Environment="',
    "environment:\n",
    "env:\n - ",
    "password: |\n ",
    "<token>",
    "login a password ",
    "$6$",
    "a:5432:",
    "?token=",
    '\\"',
    "Env:[",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "=\n-----END PRIVATE KEY-----",
    "://@",
    '{"token":',
    "[x]\n",
    '{"a":1}\n',
    "secret,secret=,",
    "password=a,b",
  ];

  // Four times the text may take about four times as long; what is quadratic takes sixteen times.
  const RATIO_MAX = 10;
  const fastest = (text: string): number =>
    Math.min(
      ...[1, 2, 3].map(() => {
        const before = process.cpuUsage();
        redactText(text);
        // What the processor did, since others may have had it meanwhile.
        const { user, system } = process.cpuUsage(before);
        return (user + system) / 1000;
      }),
    );

  for (const piece of pieces) {
    it(`grows with its length and no faster: ${JSON.stringify(piece)}`, () => {
      const ratios = [1, 2, 3].map(() => {
        const small = fastest(piece.repeat(40_000 / piece.length));
        return fastest(piece.repeat(160_000 / piece.length)) / Math.max(small, 0.5);
      });
      assert.ok(Math.min(...ratios) < RATIO_MAX, `four times the text takes ${ratios.join(", ")} times as long`);
    });
  }
});
