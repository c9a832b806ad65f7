// The container images of the lab, made here without a registry: Scrypted's stand-in on Node, the rest on busybox.
//
// They are imported once, into the Docker of a host that lives for that only; its data folder then is what every
// host's Docker starts from. A change of Node, busybox or the stand-in makes a new one.
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync } from "node:fs";
import { rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { awaitHost, bootHost, controlGroup, endHost, enter, hostFolder } from "./host.ts";
import { hostIdentity } from "./keys.ts";
import { must } from "./process.ts";

/** Image names as users have them. */
export const images = {
  scrypted: "ghcr.io/koush/scrypted",
  watchtower: "containrrr/watchtower",
  postgres: "postgres:16",
  mosquitto: "eclipse-mosquitto:2",
} as const;

const server = "/server/node_modules/@scrypted/server/dist/scrypted-main.mjs";
const standIn = join(import.meta.dirname, "scrypted/scrypted-main.mjs");
/** The host that builds: it has an address of its own, so that it meets no other. */
export const builder = { name: "builder", address: "127.0.0.10" };

/** A Docker data folder that holds all images and no container, made if it is not there yet. */
export async function dockerTemplate(folder: string, say: (line: string) => void): Promise<string> {
  const cache = join(folder, "cache");
  const template = join(cache, `docker-${fingerprint()}`);
  if (existsSync(template)) return template;
  say("building the images (once)");
  rmSync(cache, { recursive: true, force: true });
  const data = join(cache, "building");
  await endHost(folder, builder.name);
  const files = {
    place: builder,
    identity: await hostIdentity(folder, builder),
    authorized: { medic: "", operator: "" },
    controlGroup: controlGroup(builder.name),
  };
  bootHost(folder, files, data);
  try {
    const leader = await awaitHost(folder, builder.name);
    const tree = join(hostFolder(folder, builder.name), "image");
    await busyboxTree(tree);
    const plain = `CMD ["/bin/daemon"]`;
    await importImage(leader, tree, images.postgres, [plain]);
    for (const name of [images.mosquitto, images.watchtower]) {
      await must(enter(leader, ["docker", "tag", images.postgres, name]));
    }
    await nodeTree(tree);
    await importImage(leader, tree, images.scrypted, [`CMD ["/usr/bin/node","${server}"]`, "WORKDIR /server"]);
    await must(enter(leader, ["systemctl", "stop", "docker.service", "docker.socket", "containerd.service"]));
  } finally {
    await endHost(folder, builder.name);
  }
  renameSync(data, template);
  return template;
}

/** Lays a copy of the template where a host's Docker will find it. */
export async function copyTemplate(template: string, to: string): Promise<void> {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(dirname(to), { recursive: true });
  await must(["cp", "-a", "--reflink=auto", template, to]);
}

function fingerprint(): string {
  const { size, mtimeMs } = statSync(realpathSync("/bin/busybox"));
  const made = [process.version, process.arch, String(size), String(mtimeMs), daemon];
  const sources = [standIn, import.meta.filename].map((path) => readFileSync(path, "utf8"));
  return createHash("sha256")
    .update([...made, ...sources].join("\n"))
    .digest("hex")
    .slice(0, 12);
}

async function importImage(leader: number, tree: string, name: string, changes: readonly string[]): Promise<void> {
  const flags = ["ENV PATH=/usr/bin:/bin", ...changes].flatMap((change) => ["--change", change]);
  const importing = enter(leader, ["docker", "import", ...flags, "-", name]);
  await must([
    "sh",
    "-c",
    `tree=$1; shift; tar -C "$tree" --owner=0 --group=0 -c . | "$@"`,
    "import",
    tree,
    ...importing,
  ]);
}

// The program of every container but Scrypted: it says who it is, says so again every few seconds, and ends when told.
const daemon = `#!/bin/sh
trap 'echo "$NAME: shutting down"; exit 0' TERM INT
echo "$NAME: ready to accept connections"
n=0
while :; do n=$((n + 1)); echo "$NAME: checkpoint $n complete"; sleep 5 & wait $!; done
`;

async function busyboxTree(tree: string): Promise<void> {
  for (const path of ["bin", "etc", "proc", "sys", "dev", "tmp"]) mkdirSync(join(tree, path), { recursive: true });
  copyFileSync("/bin/busybox", join(tree, "bin/busybox"));
  const applets = (await must(["/bin/busybox", "--list"])).trim().split("\n");
  for (const applet of applets.filter((name) => name !== "busybox")) symlinkSync("busybox", join(tree, "bin", applet));
  writeFileSync(join(tree, "etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  writeFileSync(join(tree, "bin/daemon"), daemon);
  chmodSync(join(tree, "bin/daemon"), 0o755);
}

/** Adds the stand-in, the Node that runs this, and `flock`, which busybox does not bring. */
async function nodeTree(tree: string): Promise<void> {
  place(standIn, join(tree, server));
  for (const program of [realpathSync(process.execPath), "/usr/bin/flock"]) {
    place(program, join(tree, "usr/bin", program === "/usr/bin/flock" ? "flock" : "node"));
    const linked = (await must(["ldd", program])).matchAll(/(\/\S+) \(0x/g);
    for (const [, library = ""] of linked) place(library, join(tree, library));
  }
}

function place(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(realpathSync(from), to);
  chmodSync(to, 0o755);
}
