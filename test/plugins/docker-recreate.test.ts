// docker_recreate on a host that allows what `doctor --sudoers` prints and nothing else: its script waits, looks and goes back
// by itself, so each command in it has to be among these lines. A real shell runs it; docker, sudo and sleep are stand-ins.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { render } from "../../core/transport/quote.ts";
import type { Command } from "../../core/plugin/contract.ts";
import type { DockerOptions } from "../../plugins/docker/inputs.ts";
import { dockerRecreate } from "../../plugins/docker/recreate.ts";
import { fixingLines } from "../../plugins/docker/sudoers.ts";

const [oldId, newId] = ["1", "2"].map((digit) => `sha256:${digit.repeat(64)}`);
const options: DockerOptions = { heals: ["*"], onStopped: "start", composeFolders: ["/srv/web"] };

const docker = `#!/bin/sh
echo "$*" >>"$FAKE/did"
case "$*" in
  "container inspect"*) cat "$FAKE/state" ;;
  "image inspect"*) echo ${newId} ;;
esac
`;

describe("docker_recreate below its own sudoers lines", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "medic-recreate-"));
    program("docker", docker);
    program("sleep", "#!/bin/sh\n");
    program("sudo", sudo());
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("sees that the new container is well, and leaves it", () => {
    writeFileSync(join(folder, "state"), "running  0 2026-11-26T12:00:00Z\n");
    assert.deepEqual(run(), { status: 0, stderr: "" });
    assert.doesNotMatch(did(), new RegExp(`image tag ${oldId} web:1`));
  });

  it("goes back to the image it ran when the new one is not well", () => {
    writeFileSync(join(folder, "state"), "exited  0 2026-11-26T12:00:00Z\n");
    const { status, stderr } = run();
    assert.equal(status, 1);
    assert.match(stderr, /not well after 60 s \(exited {2}0 .*\); went back/);
    assert.match(did(), new RegExp(`image tag ${oldId} web:1`));
  });

  it("makes nothing anew where it may not look", () => {
    program("docker", docker.replace('cat "$FAKE/state"', "exit 1"));
    const { status, stderr } = run();
    assert.equal(status, 1);
    assert.match(stderr, /nothing was made anew/);
    assert.doesNotMatch(did(), /compose/);
  });

  function program(name: string, text: string): void {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  }

  function did(): string {
    const file = join(folder, "did");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  function run(): { status: number | null; stderr: string } {
    const results = stepsOf().map((step) => {
      const line = render(step, { privilege: "sudo" });
      const env = { ...process.env, PATH: `${folder}:${process.env["PATH"] ?? ""}`, FAKE: folder };
      return spawnSync("/bin/sh", ["-c", line], { encoding: "utf8", env });
    });
    const last = results.find(({ status }) => status !== 0) ?? results.at(-1);
    return { status: last?.status ?? null, stderr: last?.stderr ?? "" };
  }
});

/** Runs what the printed lines allow: a regular expression, or a `*`, which also matches blanks. */
function sudo(): string {
  const allowed = fixingLines(options).map((line) => {
    const [path = "", ...args] = line.split(" ");
    const words = args.join(" ").replace(/^\^(.*)\$$/, "$1");
    return `${path.split("/").at(-1)} ${args[0]?.startsWith("^") === true ? words : words.replaceAll("*", ".*")}`;
  });
  const patterns = allowed.map((pattern) => `-e '${pattern}'`).join(" ");
  return `#!/bin/sh\nshift\nprintf '%s\\n' "$*" | grep -Eqx ${patterns} && exec "$@"\necho "sudo: a password is required" >&2\nexit 1\n`;
}

function stepsOf(): readonly Command[] {
  const status = {
    exists: true,
    id: "a".repeat(64),
    name: "web",
    image: "web:1",
    state: "running",
    running: true,
    startedAt: "2026-11-26T11:00:00Z",
    finishedAt: "",
    ageSeconds: 3600,
    exit: 0,
    oomKilled: false,
    error: "",
    restartCount: 0,
    restartPolicy: "always",
    health: "none",
    startPeriodSeconds: 0,
    logDriver: "local",
    networkMode: "bridge",
    hold: false,
    stoppedByPerson: false,
    composeProject: "web",
  } as const;
  const runs = { id: oldId ?? "", tags: [], digests: [], created: "", sizeBytes: 1, platform: "linux/amd64" };
  const image = { exists: true, reference: "web:1", runs, outdated: true } as const;
  const compose = {
    project: "web",
    service: "web",
    folder: "/srv/web",
    files: ["/srv/web/compose.yml"],
    envFiles: [],
    oneOff: false,
    gone: false,
    containers: 1,
    image: "web:1",
    hold: false,
    program: "docker compose",
    version: "2.40.0",
    valid: true,
    why: undefined,
  } as const;
  const planning = dockerRecreate.plan({ name: "web" }, options, { status, image });
  planning.next();
  const { value } = planning.next({ config: { compose }, network: { exists: false }, daemon: { version: "29.0.0" } });
  assert.ok(value !== undefined && "steps" in value, JSON.stringify(value));
  return value.steps;
}
