// What stands in the demo's homelab: the containers, images, units and files of one small server called "nexus", as a
// homelab owner would have them. Data only.
import type { ContainerSpec, ImageSpec } from "./docker-engine.ts";
import type { Disk, Process } from "./facts.ts";
import type { Files } from "./files.ts";
import { idOf } from "./programs/docker-shapes.ts";
import type { UnitSpec } from "./systemd.ts";

export const HOST_NAME = "nexus";
export const HOST_ADDRESS = "192.0.2.11";
const MEBIBYTE = 1024 * 1024;
const SCRYPTED_VOLUME = "/home/medic/.scrypted/volume";

const scryptedProcess = (id: string, memory: number) => ({
  command: `node --expose-gc /server/node_modules/@scrypted/server/dist/scrypted-main.js child ${id}`,
  memoryBytes: memory * MEBIBYTE,
  cpuPercent: 0.7,
});

const PLAIN = {
  restartPolicy: "unless-stopped",
  logDriver: "json-file",
  networkMode: "bridge",
  labels: {},
  environment: [],
  devices: [],
  published: [],
  listens: [],
  says: [],
  stop: { milliseconds: 150, exit: 0 },
} as const;

/** Scrypted as its own compose file runs it: host network, logging driver `none`, no HEALTHCHECK. */
export const containers: readonly ContainerSpec[] = [
  {
    ...PLAIN,
    name: "scrypted",
    id: idOf("scrypted container"),
    image: "ghcr.io/koush/scrypted",
    command: ["docker-entrypoint.sh", "npm", "--prefix", "/server", "exec", "scrypted-serve"],
    logDriver: "none",
    networkMode: "host",
    labels: {
      "com.centurylinklabs.watchtower.scope": "scrypted",
      "com.docker.compose.project": "scrypted",
      "com.docker.compose.project.config_files": "/home/medic/.scrypted/docker-compose.yml",
      "com.docker.compose.project.working_dir": "/home/medic/.scrypted",
      "com.docker.compose.service": "scrypted",
    },
    environment: ["SCRYPTED_WEBHOOK_UPDATE_AUTHORIZATION=Bearer ask-the-owner", "PATH=/usr/local/bin:/usr/bin:/bin"],
    mounts: [{ source: SCRYPTED_VOLUME, destination: "/server/volume" }],
    devices: ["/dev/dri"],
    address: "",
    stop: { milliseconds: 350, exit: 143 },
    memoryBytes: 0,
    processes: [
      {
        command: "node --expose-gc /server/node_modules/@scrypted/server/dist/scrypted-main.js",
        memoryBytes: 212 * MEBIBYTE,
        cpuPercent: 1.4,
      },
      scryptedProcess("@scrypted/core", 84),
      scryptedProcess("@scrypted/homekit", 121),
      scryptedProcess("@scrypted/rebroadcast", 96),
      scryptedProcess("@scrypted/onvif", 72),
    ],
    listens: [
      { port: 10443, protocol: "tcp", afterMilliseconds: 1100 },
      { port: 11080, protocol: "tcp", afterMilliseconds: 1100 },
      { port: 10081, protocol: "tcp", afterMilliseconds: 600 },
      { port: 5353, protocol: "udp", afterMilliseconds: 1300 },
    ],
  },
  {
    ...PLAIN,
    name: "scrypted-watchtower",
    id: idOf("watchtower container"),
    image: "containrrr/watchtower",
    command: ["/watchtower", "--interval", "3600", "--cleanup", "--scope", "scrypted"],
    labels: {
      "com.centurylinklabs.watchtower": "true",
      "com.docker.compose.project": "scrypted",
      "com.docker.compose.project.config_files": "/home/medic/.scrypted/docker-compose.yml",
      "com.docker.compose.project.working_dir": "/home/medic/.scrypted",
      "com.docker.compose.service": "watchtower",
    },
    mounts: [{ source: "/var/run/docker.sock", destination: "/var/run/docker.sock" }],
    address: "172.17.0.2",
    memoryBytes: 0,
    processes: [
      { command: "/watchtower --interval 3600 --cleanup --scope scrypted", memoryBytes: 14 * MEBIBYTE, cpuPercent: 0 },
    ],
    says: ['time="2026-11-20T06:00:00Z" level=info msg="Watchtower 1.7.1"'],
  },
  {
    ...PLAIN,
    name: "postgres",
    id: idOf("postgres container"),
    image: "postgres:16",
    command: ["docker-entrypoint.sh", "postgres"],
    mounts: [{ source: "/srv/postgres", destination: "/var/lib/postgresql/data" }],
    address: "172.17.0.3",
    published: [{ container: 5432, host: 5432 }],
    memoryBytes: 0,
    processes: [{ command: "postgres", memoryBytes: 58 * MEBIBYTE, cpuPercent: 0.3 }],
    says: ["LOG:  database system is ready to accept connections"],
  },
  {
    ...PLAIN,
    name: "mosquitto",
    id: idOf("mosquitto container"),
    image: "eclipse-mosquitto:2",
    command: ["/docker-entrypoint.sh", "/usr/sbin/mosquitto", "-c", "/mosquitto/config/mosquitto.conf"],
    mounts: [{ source: "/srv/mosquitto", destination: "/mosquitto/data" }],
    address: "172.17.0.4",
    published: [{ container: 1883, host: 1883 }],
    memoryBytes: 0,
    processes: [
      {
        command: "/usr/sbin/mosquitto -c /mosquitto/config/mosquitto.conf",
        memoryBytes: 6 * MEBIBYTE,
        cpuPercent: 0.1,
      },
    ],
    says: ["mosquitto version 2.0.18 running"],
  },
];

export const images: readonly ImageSpec[] = containers.map(({ image }, index) => ({
  id: idOf(image),
  reference: image.includes(":") ? image : `${image}:latest`,
  digest: idOf(`${image} digest`),
  createdAt: "2026-11-02T09:12:44.182733Z",
  sizeBytes: [2_140_000_000, 14_700_000, 432_000_000, 17_300_000][index] ?? 0,
}));

const unit = (name: string, description: string, program: string, more: Partial<UnitSpec> = {}): UnitSpec => ({
  name,
  description,
  program,
  type: program === "" ? "" : "simple",
  restart: "on-failure",
  memoryBytes: 9 * MEBIBYTE,
  canReload: false,
  output: "journal",
  requires: ["sysinit.target"],
  wants: [],
  wantedBy: ["multi-user.target"],
  ...more,
});

export const units: readonly UnitSpec[] = [
  unit("sysinit.target", "System Initialization", "", { requires: [], wantedBy: [] }),
  unit("network.target", "Network", "", { requires: [] }),
  unit("multi-user.target", "Multi-User System", "", {
    wants: ["ssh.service", "docker.service", "caddy.service"],
    wantedBy: ["graphical.target"],
  }),
  unit("ssh.service", "OpenBSD Secure Shell server", "/usr/sbin/sshd -D", { type: "notify", canReload: true }),
  unit("containerd.service", "containerd container runtime", "/usr/bin/containerd", {
    type: "notify",
    restart: "always",
    memoryBytes: 31 * MEBIBYTE,
  }),
  unit("docker.service", "Docker Application Container Engine", "/usr/sbin/dockerd -H fd://", {
    type: "notify",
    restart: "always",
    canReload: true,
    memoryBytes: 74 * MEBIBYTE,
    requires: ["sysinit.target", "docker.socket"],
    wants: ["containerd.service"],
  }),
  unit("docker.socket", "Docker Socket for the API", ""),
  unit("caddy.service", "Caddy", "/usr/bin/caddy run --environ --config /etc/caddy/Caddyfile", {
    type: "notify",
    canReload: true,
    memoryBytes: 22 * MEBIBYTE,
    wants: ["network.target"],
  }),
  unit("systemd-timesyncd.service", "Network Time Synchronization", "/lib/systemd/systemd-timesyncd", {
    type: "notify",
  }),
  unit("systemd-journald.service", "Journal Service", "/lib/systemd/systemd-journald", {
    type: "notify",
    restart: "always",
  }),
  unit("cron.service", "Regular background program processing daemon", "/usr/sbin/cron -f"),
  unit("apt-daily.service", "Daily apt download activities", "", { wantedBy: [] }),
  unit("apt-daily.timer", "Daily apt download activities", "", {
    triggers: "apt-daily.service",
    wantedBy: ["timers.target"],
  }),
];

export const disks: readonly Disk[] = [
  {
    device: "/dev/nvme0n1p2",
    type: "ext4",
    sizeKilobytes: 238_737_052,
    usedKilobytes: 71_208_330,
    mount: "/",
    inodes: 15_269_888,
    inodesUsed: 611_204,
  },
  {
    device: "/dev/nvme0n1p1",
    type: "vfat",
    sizeKilobytes: 523_248,
    usedKilobytes: 5_972,
    mount: "/boot/efi",
    inodes: 0,
    inodesUsed: 0,
  },
  {
    device: "tmpfs",
    type: "tmpfs",
    sizeKilobytes: 803_976,
    usedKilobytes: 1_412,
    mount: "/run",
    inodes: 1_004_970,
    inodesUsed: 812,
  },
];

/** Processes that are neither a unit's nor a container's. */
export function systemProcesses(bootedAt: number): Process[] {
  const one = (pid: number, parent: number, name: string, command: string, memory: number): Process => ({
    user: "root",
    pid,
    parent,
    memoryBytes: memory * MEBIBYTE,
    cpuPercent: 0,
    startedAt: bootedAt,
    name,
    command,
  });
  return [
    one(1, 0, "systemd", "/sbin/init", 12),
    one(2, 0, "kthreadd", "[kthreadd]", 0),
    one(402, 1, "avahi-daemon", "avahi-daemon: running [nexus.local]", 4),
  ];
}

/** Fills the file tree. */
export function addFiles(files: Files, bootedAt: number, now: () => number): void {
  for (const path of [
    "/home/medic",
    "/root",
    "/tmp",
    "/var/tmp",
    "/run/lock",
    "/srv/postgres",
    "/srv/mosquitto",
    "/etc/caddy",
    "/var/log",
    "/var/lib/docker",
  ]) {
    files.addDirectory(path);
  }
  for (const path of ["/dev/null", "/dev/dri/card0", "/dev/dri/renderD128"]) files.addDevice(path);
  const uptime = () => ((now() - bootedAt) / 1000).toFixed(2);
  files.add("/proc/uptime", () => `${uptime()} ${(Number(uptime()) * 3.8).toFixed(2)}\n`);
  files.add("/proc/loadavg", "0.21 0.18 0.12 1/412 4242\n");
  files.add(
    "/proc/meminfo",
    "MemTotal:        8039740 kB\nMemFree:         2211064 kB\nMemAvailable:    5920112 kB\nBuffers:          214308 kB\nCached:          3312540 kB\nSwapTotal:        999420 kB\nSwapFree:         999420 kB\n",
  );
  const pressure = "some avg10=0.00 avg60=0.04 avg300=0.02 total=41822913\n";
  files.add("/proc/pressure/cpu", pressure);
  files.add("/proc/pressure/memory", `${pressure}full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n`);
  files.add("/proc/pressure/io", `${pressure}full avg10=0.00 avg60=0.00 avg300=0.00 total=112\n`);
  files.add(
    "/proc/cpuinfo",
    Array.from({ length: 4 }, (_, core) => `processor\t: ${core}\nmodel name\t: Intel(R) N100\n`).join("\n"),
  );
  files.add(
    "/proc/mounts",
    disks.map((disk) => `${disk.device} ${disk.mount} ${disk.type} rw,relatime 0 0\n`).join(""),
  );
  files.add("/proc/version", "Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org)\n");
  files.add("/proc/sys/kernel/random/boot_id", "0f4c2f0e-6d0b-4c9c-9c57-0a6f2d0f8d11\n");
  files.add("/proc/sys/fs/file-nr", "2112\t0\t9223372036854775807\n");
  files.add("/etc/hostname", `${HOST_NAME}\n`);
  files.add("/etc/machine-id", "b7c0d3f1a54e4d2f8a54c2d5e9a1f003\n");
  files.add(
    "/etc/os-release",
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
  );
  files.add("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nmedic:x:1000:1000::/home/medic:/bin/sh\n");
  files.add("/etc/group", "root:x:0:\ndocker:x:998:medic\nsystemd-journal:x:999:medic\n");
  files.add("/etc/hosts", `127.0.0.1 localhost\n127.0.1.1 ${HOST_NAME}\n`);
  files.add("/etc/resolv.conf", `nameserver ${HOST_ADDRESS.replace(/\d+$/, "1")}\n`);
  files.add("/etc/services", "ssh 22/tcp\nhttp 80/tcp\nhttps 443/tcp\n");
  files.add("/etc/caddy/Caddyfile", "nexus.lan {\n\treverse_proxy localhost:10443\n}\n");
  files.add("/sys/class/thermal/thermal_zone0/temp", "47000\n");
  files.add("/sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
  files.add("/home/medic/.scrypted/docker-compose.yml", "services:\n  scrypted:\n    image: ghcr.io/koush/scrypted\n", {
    owner: "medic",
  });
  const database = `${SCRYPTED_VOLUME}/scrypted.db`;
  files.add(`${database}/CURRENT`, "MANIFEST-000412\n");
  files.add(`${database}/MANIFEST-000412`, "", { sizeBytes: 1482 });
  files.add(`${database}/LOCK`, "");
  files.add(`${database}/000418.ldb`, "", { sizeBytes: 2_113_482 });
  files.add(`${SCRYPTED_VOLUME}/backup.zip`, "", { sizeBytes: 1_204_113, changedAt: now() - 6 * 3_600_000 });
  files.addDirectory(`${SCRYPTED_VOLUME}/plugins/@scrypted/core`);
}
