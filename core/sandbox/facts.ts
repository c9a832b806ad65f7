// What the simulated host is, beside its containers and units: memory, disks, processes of the system, who listens.
// Programs that report (`free`, `df`, `ps`, `ss`) ask here; nothing here decides how they print it.

export type Disk = {
  device: string;
  type: string;
  sizeKilobytes: number;
  usedKilobytes: number;
  mount: string;
  inodes: number;
  inodesUsed: number;
};
export type Listener = { protocol: "tcp" | "udp"; address: string; port: number; process: string; pid: number };
export type Process = {
  user: string;
  pid: number;
  parent: number;
  memoryBytes: number;
  cpuPercent: number;
  startedAt: number;
  name: string;
  command: string;
};
/** What a web server of the host answers to one request; undefined: nobody listens. */
export type WebAnswer = { status: number; type: string; body: string };

export type HostFacts = {
  name: string;
  address: string;
  bootedAt: number;
  cores: number;
  memoryKilobytes: { total: number; used: number; cached: number; swapTotal: number; swapUsed: number };
  disks: readonly Disk[];
  /** 1, 5 and 15 minutes. */
  load(): readonly [number, number, number];
  processes(): readonly Process[];
  listeners(): readonly Listener[];
  request(port: number, isSecure: boolean, path: string): WebAnswer | undefined;
};
