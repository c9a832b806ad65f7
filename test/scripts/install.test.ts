// scripts/install.sh in a prefix of its own, with a few lines of shell in place of Medic's file.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { arch, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, it } from "node:test";

const script = join(import.meta.dirname, "../../scripts/install.sh");

/** What stands in for Medic: it knows its version, and `sick` fails once it is where it was installed to. */
const standIn = (version: string, sick = false): string =>
  `#!/bin/sh\n${sick ? "case $0 in */current | */bin/medic) exit 1 ;; esac\n" : ""}echo "medic ${version}"\n`;

function stage() {
  const root = mkdtempSync(join(tmpdir(), "medic-install-"));
  const dist = join(root, "dist");
  const prefix = join(root, "a prefix");
  mkdirSync(dist);
  const names = new Map<string, string>();
  const unit = readFileSync(join(import.meta.dirname, "../../scripts/deploy/medic.service"), "utf8");
  const sums = (): void => {
    const lines = [...names].map(([name, text]) => `${createHash("sha256").update(text).digest("hex")}  ${name}\n`);
    writeFileSync(join(dist, "SHA256SUMS"), lines.join(""));
  };
  return {
    root,
    dist,
    prefix,
    /** Puts one more file into dist; for this machine when nothing else is said. */
    release(version: string, made: { text?: string; machine?: string; edition?: string } = {}): void {
      const { text = standIn(version), machine = arch(), edition = "" } = made;
      const name = `medic-${version}-linux-${machine}${edition}`;
      writeFileSync(join(dist, name), text);
      names.set(name, text);
      writeFileSync(join(dist, "medic.service"), unit);
      names.set("medic.service", unit);
      sums();
    },
    forget(): void {
      for (const name of readdirSync(dist)) rmSync(join(dist, name));
      names.clear();
    },
    run: (...args: string[]) => run(["--prefix", prefix, ...args], root),
    install: (...args: string[]) => run(["--prefix", prefix, "--from", dist, ...args], root),
    /** What a person gets who calls medic. */
    async version(): Promise<string> {
      return (await runProgram(join(prefix, "bin", "medic"), ["version"], root)).stdout.trim();
    },
    releases: (): string[] => readdirSync(join(prefix, "lib/medic/releases")).toSorted(),
    isEmpty: (): boolean => !existsSync(prefix),
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  };
}

function run(args: readonly string[], home: string) {
  return runProgram("sh", [script, ...args], home);
}

async function runProgram(program: string, args: readonly string[], home: string, path = process.env["PATH"]) {
  const env = { PATH: path ?? "/usr/bin:/bin", HOME: home };
  const child = spawn(program, [...args], { env, cwd: home, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => void (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => void (stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, stdout, stderr };
}

describe("install.sh", () => {
  it("installs what is for this machine, whatever else lies there", async () => {
    using at = stage();
    at.release("1.0.0");
    at.release("1.0.0", { edition: "-deno", text: standIn("1.0.0 on Deno") });
    at.release("1.0.0", { machine: arch() === "x64" ? "arm64" : "x64", text: "another machine's" });
    const { code, stdout, stderr } = await at.install();
    assert.equal(code, 0, stderr);
    assert.match(stdout, /its checksum is right\ninstalled: medic 1\.0\.0\n/);
    assert.match(stdout, /add .*a prefix\/bin to your PATH/);
    assert.equal(await at.version(), "medic 1.0.0");
    assert.equal((await at.install("--deno")).code, 0);
    assert.equal(await at.version(), "medic 1.0.0 on Deno");
  });

  it("upgrades in place, keeps the one before, goes back to it and forth again", async () => {
    using at = stage();
    for (const version of ["1.0.0", "1.1.0", "1.2.0"]) {
      at.forget();
      at.release(version);
      assert.equal((await at.install()).code, 0);
      assert.equal(await at.version(), `medic ${version}`);
    }
    assert.equal(at.releases().length, 2);
    const again = await at.install();
    assert.match(again.stdout, /medic-1\.2\.0-linux-\w+ is in use already/);
    for (const version of ["1.1.0", "1.2.0"]) {
      const back = await at.run("--rollback");
      assert.equal(back.code, 0, back.stderr);
      assert.match(back.stdout, new RegExp(`in use again: medic ${version}`));
      assert.equal(await at.version(), `medic ${version}`);
    }
  });

  it("makes whole what somebody took a part of", async () => {
    using at = stage();
    at.release("1.0.0");
    await at.install();
    rmSync(join(at.prefix, "bin/medic"));
    assert.equal((await at.install()).code, 0);
    assert.equal(await at.version(), "medic 1.0.0");
    rmSync(join(at.prefix, "lib/medic/releases"), { recursive: true });
    assert.equal((await at.install()).code, 0);
    assert.equal(await at.version(), "medic 1.0.0");
  });

  it("changes nothing for a file whose checksum is another one, or that does not run", async () => {
    using at = stage();
    at.release("1.0.0");
    const name = readdirSync(at.dist).find((one) => one.startsWith("medic-")) ?? "";
    writeFileSync(join(at.dist, name), standIn("1.0.0, changed on the way"));
    const changed = await at.install();
    assert.equal(changed.code, 1);
    assert.match(
      changed.stderr,
      /the checksum of medic-1\.0\.0-\S+ is not the one in SHA256SUMS\. Nothing was changed/,
    );
    assert.ok(at.isEmpty());
    at.forget();
    at.release("1.0.0", { text: "#!/bin/sh\nexit 1\n" });
    const dead = await at.install();
    assert.equal(dead.code, 1);
    assert.match(dead.stderr, /does not run on this machine\. Nothing was changed/);
    assert.ok(at.isEmpty());
  });

  it("puts the old one back when the new one is not well in its place", async () => {
    using at = stage();
    at.release("1.0.0");
    await at.install();
    at.forget();
    at.release("1.1.0", { text: standIn("1.1.0", true) });
    const { code, stderr } = await at.install();
    assert.equal(code, 1);
    assert.match(stderr, /medic-1\.1\.0-\S+ is not well: medic-1\.0\.0-\S+ is in use again/);
    assert.equal(await at.version(), "medic 1.0.0");
    assert.equal((await at.run("--rollback")).code, 1);
  });

  it("replaces no program of that name that is not its own", async () => {
    using at = stage();
    at.release("1.0.0");
    mkdirSync(join(at.prefix, "bin"), { recursive: true });
    writeFileSync(join(at.prefix, "bin/medic"), "mine");
    const { code, stderr } = await at.install();
    assert.equal(code, 1);
    assert.match(stderr, /bin\/medic" is not a link of Medic's/);
    assert.equal(readFileSync(join(at.prefix, "bin/medic"), "utf8"), "mine");
  });

  it("neither replaces nor takes away a link of that name that leads elsewhere, nor a folder that it did not make", async () => {
    using at = stage();
    at.release("1.0.0");
    for (const folder of ["bin", "lib/medic"]) mkdirSync(join(at.prefix, folder), { recursive: true });
    symlinkSync("/opt/medic/bin/medic", join(at.prefix, "bin/medic"));
    writeFileSync(join(at.prefix, "lib/medic/theirs"), "theirs");
    const { code, stderr } = await at.install();
    assert.equal(code, 1);
    assert.match(stderr, /bin\/medic" is not a link of Medic's/);
    assert.equal((await at.run("--uninstall")).code, 0);
    assert.equal(readlinkSync(join(at.prefix, "bin/medic")), "/opt/medic/bin/medic");
    assert.equal(readFileSync(join(at.prefix, "lib/medic/theirs"), "utf8"), "theirs");
  });

  it("puts the old one back when it is told to stop before the new one is known to be well", async () => {
    using at = stage();
    const stops = `#!/bin/sh\ncase $0 in */current) kill -TERM $PPID ;; esac\necho "medic 1.1.0"\n`;
    at.release("0.9.0", { text: stops });
    assert.equal((await at.install()).code, 1);
    for (const link of ["bin/medic", "lib/medic/current"]) assert.equal(existsSync(join(at.prefix, link)), false);
    at.forget();
    at.release("1.0.0");
    await at.install();
    at.forget();
    at.release("1.1.0", { text: stops });
    const { code, stdout } = await at.install();
    assert.equal(code, 1);
    assert.match(stdout, /broken off: medic-1\.0\.0-\S+ is in use again/);
    assert.equal(await at.version(), "medic 1.0.0");
  });

  it("starts the old one again although systemd has had enough of the new one", async () => {
    using at = stage();
    const bin = join(at.root, "root's programs");
    mkdirSync(bin);
    const program = (name: string, text: string): void =>
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    program("id", '[ "$1" != -u ] || echo 0');
    for (const name of ["install", "ssh-keygen"]) program(name, "exit 0");
    // Once a service failed too often, systemd starts it only after its failures are forgotten.
    const enough = join(at.root, "enough");
    program(
      "systemctl",
      `case $1 in
  reset-failed) rm -f '${enough}' ;;
  restart) [ ! -e '${enough}' ] || exit 1; '${at.prefix}/lib/medic/current' serve || { : >'${enough}'; exit 1; } ;;
esac`,
    );
    at.release("1.0.0");
    const data = join(at.root, "data");
    mkdirSync(data);
    writeFileSync(join(data, "journal.sqlite"), "whole");
    const copy = join(at.root, "install.sh");
    writeFileSync(copy, readFileSync(script, "utf8").replace("data=/var/lib/medic", `data='${data}'`));
    const args = [copy, "--prefix", at.prefix, "--from", at.dist, "--system"];
    const install = () => runProgram("sh", args, at.root, `${bin}:${process.env["PATH"]}`);
    assert.equal((await install()).code, 0);
    at.forget();
    // It is ended while it copies the journal, before it changes anything.
    const ended = `{ echo part >'${data}/journal.sqlite.form-1.77.new'; exit 1; }`;
    at.release("1.1.0", { text: `#!/bin/sh\n[ "$1" != serve ] || ${ended}\necho "medic 1.1.0"\n` });
    const { code, stderr } = await install();
    assert.equal(code, 1);
    assert.match(stderr, /medic-1\.1\.0-\S+ is not well: medic-1\.0\.0-\S+ is in use again/);
    assert.equal(readFileSync(join(data, "journal.sqlite"), "utf8"), "whole");
  });

  it("leaves nothing that points to a first one that is not well", async () => {
    using at = stage();
    at.release("1.0.0", { text: standIn("1.0.0", true) });
    const { code, stderr } = await at.install();
    assert.equal(code, 1, stderr);
    assert.equal(existsSync(join(at.prefix, "bin/medic")), false);
    assert.equal(existsSync(join(at.prefix, "lib/medic/current")), false);
  });

  it("does nothing in a dry run, and says all that it would do", async () => {
    using at = stage();
    at.release("1.0.0");
    const first = await at.install("--dry-run");
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /would run: mkdir[\s\S]*would run: mv[\s\S]*would use medic-1\.0\.0/);
    assert.ok(at.isEmpty());
    await at.install();
    for (const args of [["--uninstall"], ["--uninstall", "--purge"]]) {
      const { code, stdout } = await at.run(...args, "--dry-run");
      assert.equal(code, 0);
      assert.match(stdout, /would run: rm -rf -- .*lib\/medic/);
    }
    assert.equal(await at.version(), "medic 1.0.0");
    const unit = await at.install("--system", "--dry-run");
    assert.equal(unit.code, 0, unit.stderr);
    assert.match(unit.stdout, /would run: install -m 644 .* \/etc\/systemd\/system\/medic\.service/);
  });

  it("takes the unit from where the checksums are, and not from where others may have put one beside the script", async () => {
    using at = stage();
    at.release("1.0.0");
    mkdirSync(join(at.root, "deploy"));
    writeFileSync(join(at.root, "deploy/medic.service"), "[Service]\nExecStart=/bin/sh -c evil\n");
    const copy = join(at.root, "install.sh");
    copyFileSync(script, copy);
    writeFileSync(join(at.dist, "medic.service"), "changed on the way");
    const args = ["--prefix", at.prefix, "--from", at.dist, "--system", "--dry-run"];
    const { code, stderr } = await runProgram("sh", [copy, ...args], at.root);
    assert.equal(code, 1);
    assert.match(stderr, /the checksum of medic\.service is not the one in SHA256SUMS/);
  });

  it("takes itself away, and the journal and settings only when told to", async () => {
    using at = stage();
    at.release("1.0.0");
    await at.install();
    const kept = [".config/medic/hosts.yaml", ".local/share/medic/journal.sqlite"].map((name) => join(at.root, name));
    for (const file of kept) {
      mkdirSync(join(file, ".."), { recursive: true });
      writeFileSync(file, "mine");
    }
    mkdirSync(join(at.root, ".cache/medic/1.0.0"), { recursive: true });
    const gone = await at.run("--uninstall");
    assert.equal(gone.code, 0);
    assert.match(gone.stdout, /settings, keys and the journal stay/);
    assert.deepEqual(
      ["a prefix/bin/medic", "a prefix/lib/medic", ".cache/medic"].filter((name) => existsSync(join(at.root, name))),
      [],
    );
    assert.deepEqual(
      kept.filter((file) => !existsSync(file)),
      [],
    );
    assert.equal((await at.run("--uninstall", "--purge")).code, 0);
    assert.deepEqual(
      kept.filter((file) => existsSync(file)),
      [],
    );
  });

  it("takes one of several versions by its name only, and says what is wrong with a call", async () => {
    using at = stage();
    at.release("1.0.0");
    at.release("1.1.0");
    const several = await at.install();
    assert.equal(several.code, 1);
    assert.match(several.stderr, /has several: medic-1\.0\.0-\S+ medic-1\.1\.0-\S+ ?\. Choose one with --version/);
    assert.equal((await at.install("--version", "1.1.0")).code, 0);
    assert.equal(await at.version(), "medic 1.1.0");
    assert.match((await at.install("--version", "9.9.9")).stderr, /has no medic-9\.9\.9-linux/);
    for (const bad of [["--frm", "x"], ["--from"], ["--purge"]]) {
      const told = await at.run(...bad);
      assert.equal(told.code, 2);
      assert.match(told.stderr, /Usage: install\.sh/);
    }
    assert.match(
      (await run(["--prefix", at.prefix, "--from", join(at.root, "none")], at.root)).stderr,
      /cannot be read/,
    );
    assert.match((await at.run("--rollback", "--prefix", join(at.root, "empty"))).stderr, /no release before this one/);
  });

  it("fetches from a URL, and from none that anybody on the way could change", async () => {
    using at = stage();
    at.release("1.0.0");
    const server: Server = createServer((request, response) => {
      const file = join(at.dist, basename(request.url ?? ""));
      if (!existsSync(file)) return void response.writeHead(404).end();
      return void response.end(readFileSync(file));
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, stderr } = await at.run("--from", url);
    assert.equal(code, 0, stderr);
    assert.equal(await at.version(), "medic 1.0.0");
    at.forget();
    const gone = await at.run("--from", url);
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /cannot be fetched/);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    for (const open of ["http://192.0.2.1", "http://127.example:80"]) {
      assert.match((await at.run("--from", open)).stderr, /is not https/);
    }
  });

  it("makes a link that leads to a file that runs for everybody", async () => {
    using at = stage();
    at.release("1.0.0");
    await at.install();
    const current = join(at.prefix, "lib/medic", readlinkSync(join(at.prefix, "lib/medic/current")));
    assert.equal(statSync(current).mode & 0o777, 0o755);
  });

  it("lets everybody to that file, also where root keeps its own files to itself", async () => {
    using at = stage();
    at.release("1.0.0");
    const args = ["--prefix", at.prefix, "--from", at.dist];
    await runProgram("sh", ["-c", 'umask 077; exec sh "$@"', "sh", script, ...args], at.root);
    for (const folder of ["bin", "lib/medic/releases"]) {
      assert.equal(statSync(join(at.prefix, folder)).mode & 0o777, 0o755);
    }
  });
});
