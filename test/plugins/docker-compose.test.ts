// What docker_compose_config asks a host, run by a real shell against a docker that answers from files: which removed
// container is meant, and which files and service are read, is decided there and not by `parse`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { render } from "../../core/transport/quote.ts";
import { dockerComposeConfig } from "../../plugins/docker/compose.ts";
import type { Compose } from "../../plugins/docker/compose.ts";

/** Answers as docker does: events by a prefix of the name, in the order given; compose complains while it is no root's. */
const docker = `#!/bin/sh
case "$*" in
  "compose version --short") echo 2.40.0 ;;
  compose*) printf '%s\\n' "$@" >"$FAKE/asked"
    if [ -e "$FAKE/secret" ] && [ -e "$FAKE/refused" ]; then cat "$FAKE/config"
    elif [ -e "$FAKE/secret" ]; then touch "$FAKE/refused"; echo "open $FAKE/secret: permission denied" >&2; exit 1
    else cat "$FAKE/config"; fi ;;
  "events "*'"image"'*) cut -f 1,9 "$FAKE/events" ;;
  "events "*) cut -f 1-8 "$FAKE/events" ;;
  "container ls"*) ;;
  "image inspect"*) if [ -e "$FAKE/pruned" ]; then echo "No such image" >&2; exit 1; else echo; fi ;;
  *) echo "Error: No such container" >&2; exit 1 ;;
esac
`;

describe("docker_compose_config on a host", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "medic-compose-"));
    writeFileSync(join(folder, "docker"), docker);
    chmodSync(join(folder, "docker"), 0o755);
    writeFileSync(join(folder, "config"), "services:\n  web:\n    image: nginx:1\n");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("means the removed container of this very name, also when one whose name begins so was removed after it", () => {
    removed("cloud", { service: "web" });
    removed("cloud-db", { service: "db" });
    assert.equal(asked("cloud").service, "web");
  });

  it("reads the files that the labels name, also where a name has letters that a shell would expand", () => {
    for (const name of ["[app]", "a"]) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "compose.yml"), "");
    }
    removed("cloud", { service: "web", project: join(folder, "[app]") });
    asked("cloud");
    const words = readFileSync(join(folder, "asked"), "utf8").split("\n");
    assert.equal(words[words.indexOf("--file") + 1], join(folder, "[app]", "compose.yml"));
  });

  it("asks as root where only what the files lead to is closed to the login", () => {
    writeFileSync(join(folder, "secret"), "");
    removed("cloud", { service: "web" });
    assert.equal(asked("cloud").valid, true);
  });

  it("tells the image of this very service", () => {
    writeFileSync(join(folder, "config"), `services:\n  a-b:\n    image: other:1\n  a.b:\n    image: mine:1\n`);
    removed("cloud", { service: "a.b" });
    assert.equal(asked("cloud").image, "mine:1");
  });

  it("tells the image of a service whose name compose puts in quotes", () => {
    writeFileSync(join(folder, "config"), `services:\n  "2048":\n    image: game:1\n`);
    removed("cloud", { service: "2048" });
    assert.equal(asked("cloud").image, "game:1");
  });

  it("says that nobody could see whether the labels came with the image, where that is gone as well", () => {
    removed("cloud", { service: "web" });
    assert.equal(asked("cloud").unseen, undefined);
    writeFileSync(join(folder, "pruned"), "");
    assert.equal(asked("cloud").unseen, true);
  });

  function removed(name: string, { service, project = folder }: { service: string; project?: string }): void {
    writeFileSync(join(project, "compose.yml"), "");
    const row = [name, "cloud", service, "False", project, join(project, "compose.yml"), "", "", "nginx:1"];
    writeFileSync(join(folder, "events"), `${row.join("\t")}\n`, { flag: "a" });
  }

  function asked(name: string): Compose {
    const command = dockerComposeConfig.command({ name }, {});
    assert.ok(!("refused" in command));
    const line = render(command, { privilege: "none", killAfterSeconds: 5 });
    const env = { ...process.env, PATH: `${folder}:${process.env["PATH"] ?? ""}`, FAKE: folder };
    const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", line], { encoding: "utf8", env });
    const found = dockerComposeConfig.parse({ exit: status ?? -1, stdout, stderr, cutBytes: 0 }, { name }, {});
    assert.ok("compose" in found && found.compose !== null, JSON.stringify({ found, stdout, stderr }));
    return found.compose;
  }
});
