// The image that scripts/deploy/Dockerfile makes, built and run in a lab host's own docker without any network: Debian's part
// is this machine's own libraries. As the compose file runs it: nothing may be written but /data.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import { inHost, labHost, onHost, readLab } from "../../scripts/lab/lab.ts";
import { until } from "../../scripts/lab/process.ts";
import { type Built, build, root } from "../binary/built.ts";

const host = "vega";
const deploy = join(root, "scripts/deploy");
const libraries = ["ld-linux*", "libc.so*", "libdl.so*", "libgcc_s.so*", "libm.so*", "libpthread.so*", "libstdc++.so*"];

type Compose = {
  services: {
    medic: {
      read_only: boolean;
      cap_drop: string[];
      security_opt: string[];
      tmpfs: string[];
      stop_grace_period: string;
    };
  };
};

describe("Medic in a container", { timeout: 90_000 }, () => {
  let built: Built;
  let local: string;
  /** The folder as the host sees it. */
  const there = "/root/image";
  const { medic } = (parse(readFileSync(join(deploy, "compose.yaml"), "utf8")) as Compose).services;
  const bounds = [
    ...(medic.read_only ? ["--read-only"] : []),
    ...medic.cap_drop.flatMap((name) => ["--cap-drop", name]),
    ...medic.security_opt.flatMap((name) => ["--security-opt", name]),
    ...medic.tmpfs.flatMap((name) => ["--tmpfs", name]),
  ];
  const docker = (...args: string[]) => inHost(host, ["docker", ...args]);

  before(async () => {
    built = build(["node"]);
    local = mkdtempSync(join(tmpdir(), "medic-image-"));
    mkdirSync(join(local, "srv"));
    const inside = join(`/proc/${labHost(host).leader}/root`, there);
    mkdirSync(join(inside, "dist"), { recursive: true });
    const folder = "/usr/lib/*-linux-gnu";
    const base = `tar -c -f '${inside}/base.tar' -C '${local}' srv && cd / && tar -r -f '${inside}/base.tar' ${libraries.map((name) => `${folder.slice(1)}/${name}`).join(" ")}`;
    execFileSync("sh", ["-c", base]);
    for (const name of readdirSync(built.folder)) copyFileSync(join(built.folder, name), join(inside, "dist", name));
    copyFileSync(join(deploy, "Dockerfile"), join(inside, "Dockerfile"));
    mkdirSync(join(inside, "config"));
    const lab = readLab();
    copyFileSync(lab.keys.medic.path, join(inside, "config/medic_key"));
    const { address, port, hostKey } = labHost(host);
    writeFileSync(
      join(inside, "config/hosts.yaml"),
      `server: { listen: "127.0.0.13:18485", data: /data }
responder: { order: [runbook] }
hosts:
  ${host}: { address: ${address}, port: ${port}, user: medic, identity: medic_key, hostKey: "${hostKey}", plugins: { docker: {} } }
`,
    );
    await onHost(host, `chown -R 65532 ${there}/config && chmod 600 ${there}/config/medic_key`);
    await onHost(host, `docker import ${there}/base.tar medic-base`);
  });
  after(async () => {
    await docker("rm", "-f", "-v", "medic");
    await docker("rmi", "-f", "medic", "medic-base");
    await inHost(host, ["rm", "-rf", there]);
    rmSync(local, { recursive: true });
    built.remove();
  });

  it("is an image of one program and what it links to", async () => {
    const arch = process.arch;
    const args = ["--build-arg", "BASE=medic-base", "--build-arg", `ARCH=${arch}`, "-f", `${there}/Dockerfile`];
    const made = await inHost(host, [
      "env",
      "DOCKER_BUILDKIT=0",
      "docker",
      "build",
      "-t",
      "medic",
      ...args,
      `${there}/dist`,
    ]);
    assert.equal(made.exit, 0, made.stdout + made.stderr);
    const files = await onHost(
      host,
      "docker create --name medic medic >/dev/null && docker export medic | tar t; docker rm medic >/dev/null",
    );
    // Docker's own mount points aside.
    const own = files.split("\n").filter((name) => !/\/$|^(etc|dev)\/|^\.dockerenv/.test(name));
    assert.deepEqual(
      own.filter((name) => !/^lib(64)?\/(ld-linux|lib)[^/]*$/.test(name)),
      ["medic"],
    );
    assert.equal(own.length, 9, own.join(" "));
  });

  it("heals its demo with nothing but its own file, and no network", async () => {
    const { exit, stdout, stderr } = await docker(
      "run",
      "--rm",
      "--network",
      "none",
      ...bounds,
      "medic",
      "demo",
      "--json",
    );
    assert.equal(exit, 0, stdout + stderr);
  });

  it("serves, is called healthy by its own healthcheck, reaches a host, and stops in order", async () => {
    const volumes = ["-v", `${there}/config:/etc/medic:ro`];
    const quick = ["--health-interval", "1s"];
    const run = await docker(
      "run",
      "-d",
      "--name",
      "medic",
      "--network",
      "host",
      ...bounds,
      ...quick,
      ...volumes,
      "medic",
    );
    assert.equal(run.exit, 0, run.stderr);
    const health = async (): Promise<string> =>
      (await docker("inspect", "-f", "{{.State.Health.Status}}", "medic")).stdout.trim();
    const logs = async (): Promise<string> => (await docker("logs", "medic")).stdout;
    assert.ok(await until(async () => (await health()) === "healthy", 30), await logs());
    const asked = await docker(
      "exec",
      "medic",
      "/medic",
      "tool",
      host,
      "docker_status",
      "--name",
      "postgres",
      "--json",
    );
    assert.equal(asked.exit, 0, asked.stdout + asked.stderr);
    assert.equal((await docker("exec", "medic", "/medic", "selftest")).exit, 0);
    assert.equal((await docker("inspect", "-f", "{{.Config.User}}", "medic")).stdout.trim(), "65532:65532");
    const stopped = await docker("stop", "-t", String(Number.parseInt(medic.stop_grace_period, 10)), "medic");
    assert.equal(stopped.exit, 0);
    // Killed, it would be 137.
    assert.equal((await docker("inspect", "-f", "{{.State.ExitCode}}", "medic")).stdout.trim(), "0", await logs());
  });
});
