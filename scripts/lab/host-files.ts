// What a lab host's own files say: its users, its sshd, its units, its Docker, Scrypted's folder.
//
// A host sees this machine's root read-only, below a layer of its own. `hidden` paths are emptied there, then the tree
// that `stageHost` writes is laid on top. Nothing here touches the machine itself; texts are made, then written.
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { HostIdentity, Place } from "./keys.ts";
import { labUnits, medicSudoers } from "./units.ts";

/** sshd's port on each host's own address. */
export const sshdPort = 2222;
/** Where a host's nginx answers, once it is started. */
export const nginxPort = 18088;
/** Where Scrypted lives on a host, as its installer for Docker Compose leaves it. */
export const scryptedFolder = "/home/operator/.scrypted";

/** What of this machine a host must not see: its people, its keys, its services, all that is not Debian's. */
export function hiddenPaths(): string[] {
  const debian = /^(bin|boot|dev|etc|lib.*|lost\+found|proc|run|sbin|sys|usr|var)$/;
  const foreign = readdirSync("/").filter((name) => !debian.test(name));
  return [
    ...foreign.map((name) => `/${name}`),
    ...words(`/usr/local /var/tmp /var/log /var/spool/cron /var/lib/dbus /var/lib/systemd
      /var/lib/docker /var/lib/containerd /var/lib/prometheus
      /etc/systemd/system /etc/systemd/user /etc/ssh /etc/docker /etc/sudoers.d /etc/fstab /etc/environment
      /etc/cron.d /etc/cron.daily /etc/cron.hourly /etc/update-motd.d
      /etc/rc0.d /etc/rc1.d /etc/rc2.d /etc/rc3.d /etc/rc4.d /etc/rc5.d /etc/rc6.d /etc/rcS.d`),
  ];
}

const medic = { name: "medic", uid: 1001, gid: 1001, groups: ["docker", "systemd-journal"] };
// Debian has a system group "operator" already, so this user's own group is "users".
const operator = { name: "operator", uid: 1000, gid: 100, groups: ["docker", "systemd-journal", "sudo"] };
const users = [medic, operator];

export type HostFiles = {
  place: Place;
  identity: HostIdentity;
  /** Public key lines by user. */
  authorized: Record<"medic" | "operator", string>;
  /** Name of the host's control group, under which Docker keeps its own. */
  controlGroup: string;
};

/** Writes a host's own tree below `root`. */
export function stageHost(root: string, { place, identity, authorized, controlGroup }: HostFiles): void {
  const write = (path: string, text: string, mode = 0o644) => put(root, path, text, mode);
  folder(root, "/tmp", 0o1777);
  folder(root, "/var/tmp", 0o1777);
  folder(root, "/root", 0o700);
  for (const path of ["/var/log/journal", "/var/lib/docker", "/var/lib/dbus", "/opt", "/srv", "/mnt", "/media"])
    folder(root, path);

  write("/etc/environment", "");
  write("/etc/hostname", `${place.name}\n`);
  write("/etc/hosts", `127.0.0.1 localhost\n${place.address} ${place.name}\n`);
  write("/etc/machine-id", `${identity.machineId}\n`, 0o444);
  write("/etc/passwd", passwd(readFileSync("/etc/passwd", "utf8")));
  write("/etc/group", group(readFileSync("/etc/group", "utf8")));
  write("/etc/shadow", shadow(passwd(readFileSync("/etc/passwd", "utf8"))), 0o600);
  // Debian's own PATH below sudo: a user's has no sbin, where nginx is.
  const path = 'Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"';
  write(
    "/etc/sudoers",
    `Defaults env_reset,!fqdn,!lecture\n${path}\nroot ALL=(ALL) ALL\n@includedir /etc/sudoers.d\n`,
    0o440,
  );
  write("/etc/sudoers.d/operator", "operator ALL=(ALL) NOPASSWD: ALL\n", 0o440);
  write("/etc/sudoers.d/medic", medicSudoers(), 0o440);
  for (const user of users) {
    const home = `/home/${user.name}`;
    write(`${home}/.ssh/authorized_keys`, `${authorized[user.name as "medic" | "operator"]}\n`, 0o600);
    for (const path of [home, `${home}/.ssh`, `${home}/.ssh/authorized_keys`]) {
      chownSync(join(root, path), user.uid, user.gid);
    }
    chmodSync(join(root, home), 0o755);
    chmodSync(join(root, `${home}/.ssh`), 0o700);
  }

  write("/etc/ssh/sshd_config", sshdConfig(place));
  write("/etc/ssh/ssh_host_ed25519_key", readFileSync(identity.hostKey.path, "utf8"), 0o600);
  write("/etc/ssh/ssh_host_ed25519_key.pub", `${identity.hostKey.publicLine}\n`);
  if (existsSync("/etc/ssh/moduli")) copyFileSync("/etc/ssh/moduli", join(root, "/etc/ssh/moduli"));

  write("/etc/systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=persistent\nRateLimitBurst=0\nSystemMaxUse=64M\n");
  write("/etc/docker/daemon.json", `${JSON.stringify(dockerConfig(controlGroup), null, 2)}\n`);
  write("/etc/systemd/system/docker.service.d/lab.conf", dockerDropIn);
  for (const unit of masked) link(root, `/etc/systemd/system/${unit}`, "/dev/null");
  link(root, "/etc/systemd/system/default.target", "/lib/systemd/system/multi-user.target");
  const wanted = (unit: string, target: string, from: string) =>
    link(root, `/etc/systemd/system/${target}.wants/${unit}`, `${from}/${unit}`);
  for (const unit of ["ssh.service", "containerd.service", "docker.service"]) {
    wanted(unit, "multi-user.target", "/lib/systemd/system");
  }
  wanted("docker.socket", "sockets.target", "/lib/systemd/system");
  for (const { name, unit, program } of labUnits()) {
    write(`/etc/systemd/system/${name}.service`, unit);
    write(`/usr/local/lib/lab/${name}`, program, 0o755);
    folder(root, `/var/lib/${name}`);
    wanted(`${name}.service`, "multi-user.target", "/etc/systemd/system");
  }
  write("/etc/nginx/sites-available/default", nginxSite(place));
  folder(root, "/var/log/nginx");
  stageScrypted(root, identity, place);
  // The login with which Scrypted makes a backup, as the plugin's README says.
  write("/home/medic/.netrc", `machine ${place.address} login admin password lab-only\n`, 0o600);
  chownSync(join(root, "/home/medic/.netrc"), medic.uid, medic.gid);
}

/** Scrypted's folder as a user of Docker Compose has it; the stand-in's certificate lies where the server looks. */
function stageScrypted(root: string, identity: HostIdentity, { address }: Place): void {
  const write = (path: string, text: string, mode = 0o644) => put(root, `${scryptedFolder}/${path}`, text, mode);
  write("docker-compose.yml", composeFile(address));
  write(".env", "WATCHTOWER_HTTP_API_TOKEN=lab-only\n", 0o600);
  write("volume/scrypted.db/CURRENT", "MANIFEST-000001\n");
  write("volume/scrypted.db/MANIFEST-000001", "leveldb.BytewiseComparator\n");
  write("volume/scrypted.db/000003.log", "");
  write("volume/scrypted.db/LOCK", "");
  write("volume/tls.key", readFileSync(identity.certificate.key, "utf8"), 0o600);
  write("volume/tls.crt", readFileSync(identity.certificate.certificate, "utf8"));
  chownSync(join(root, scryptedFolder), operator.uid, operator.gid);
  chownSync(join(root, `${scryptedFolder}/docker-compose.yml`), operator.uid, operator.gid);
}

// Units that speak to the kernel of this machine, which is not the host's to configure, and screens nobody watches.
const masked = words(`
  systemd-udevd.service systemd-udev-trigger.service systemd-udev-settle.service
  systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-sysctl.service systemd-modules-load.service
  systemd-binfmt.service systemd-pstore.service systemd-timesyncd.service systemd-random-seed.service
  systemd-remount-fs.service systemd-hwdb-update.service systemd-networkd.service systemd-resolved.service
  systemd-boot-system-token.service proc-sys-fs-binfmt_misc.automount sys-kernel-debug.mount
  sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount getty@tty1.service console-getty.service
  apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer`);

// nspawn mounts the controllers read-only, and Docker has to make groups there.
const dockerDropIn = `[Service]
ExecStartPre=-/bin/sh -c "for group in /sys/fs/cgroup/ /sys/fs/cgroup/*/; do mount -o remount,bind,rw $group; done 2>/dev/null"
`;

function dockerConfig(controlGroup: string): object {
  return {
    // All hosts share this machine's network, so no host may make a bridge or touch its firewall.
    bridge: "none",
    iptables: false,
    ip6tables: false,
    "ip-forward": false,
    "storage-driver": "overlay2",
    "cgroup-parent": `/${controlGroup}`,
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
  };
}

/** Debian's own settings and OpenSSH's own limits, on the host's own address. */
function sshdConfig({ address }: Place): string {
  return `Port ${sshdPort}
ListenAddress ${address}
HostKey /etc/ssh/ssh_host_ed25519_key
LogLevel VERBOSE
MaxSessions 10
MaxStartups 10:30:100
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
X11Forwarding yes
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
`;
}

/** Debian's nginx on the host's own address; nobody starts it but who needs it. */
function nginxSite({ address }: Place): string {
  return `server {
\tlisten ${address}:${nginxPort} default_server;
\troot /var/www/html;
\tindex index.nginx-debian.html;
\tserver_name _;
}
`;
}

// As Scrypted's installer writes it for Docker on Linux, but for its address, and a watchtower without a bridge: all hosts
// share this machine's network.
const composeFile = (address: string): string => `services:
  scrypted:
    image: ghcr.io/koush/scrypted
    container_name: scrypted
    restart: unless-stopped
    network_mode: host
    environment:
      - SCRYPTED_SERVER_ADDRESS=${address}
      - SCRYPTED_WEBHOOK_UPDATE=http://localhost:10444/v1/update
      - SCRYPTED_WEBHOOK_UPDATE_AUTHORIZATION=Bearer \${WATCHTOWER_HTTP_API_TOKEN:-unset}
    volumes:
      - ./volume:/server/volume
    # devices:
    #   - /dev/dri:/dev/dri
    #   - /dev/bus/usb:/dev/bus/usb
    logging:
      driver: "none"
  watchtower:
    image: containrrr/watchtower
    container_name: scrypted-watchtower
    restart: unless-stopped
    network_mode: none
    environment:
      - WATCHTOWER_CLEANUP=true
      - WATCHTOWER_HTTP_API_TOKEN=\${WATCHTOWER_HTTP_API_TOKEN:-unset}
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock
`;

/** The machine's system users and ours; its people stay out. */
export function passwd(machine: string): string {
  const ours = users.map(({ name, uid, gid }) => `${name}:x:${uid}:${gid}::/home/${name}:/bin/bash`);
  return [
    ...systemLines(
      machine,
      users.map(({ name }) => name),
    ),
    ...ours,
    "",
  ].join("\n");
}

/** The machine's system groups without their members, ours added. */
export function group(machine: string): string {
  const lines = systemLines(machine, [medic.name]).map((line) => {
    const [name = "", , gid = ""] = line.split(":");
    const members = users.filter((user) => user.groups.includes(name)).map((user) => user.name);
    return `${name}:x:${gid}:${members.join(",")}`;
  });
  return [...lines, `${medic.name}:x:${medic.gid}:`, ""].join("\n");
}

function systemLines(machine: string, without: readonly string[]): string[] {
  return machine.split("\n").filter((line) => {
    const [name = "", , id = ""] = line.split(":");
    return name !== "" && !without.includes(name) && (Number(id) < 1000 || name.startsWith("no"));
  });
}

/** No password opens any of them; "*", unlike "!", leaves keys working. */
function shadow(passwdText: string): string {
  return passwdText.replace(/^([^:\n]+):.*$/gm, "$1:*:19000:0:99999:7:::");
}

function folder(root: string, path: string, mode = 0o755): void {
  mkdirSync(join(root, path), { recursive: true });
  chmodSync(join(root, path), mode);
}

function put(root: string, path: string, text: string, mode: number): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  chmodSync(join(root, path), mode);
}

function link(root: string, path: string, to: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  symlinkSync(to, join(root, path));
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
