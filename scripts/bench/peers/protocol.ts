// What the benchmark says to a client's process and what it answers, one JSON object a line. The Go and the Python client
// speak the same.

export type Target = {
  address: string;
  port: number;
  user: string;
  /** Path of the private key. */
  identity: string;
  /** `SHA256:…` */
  hostKey: string;
  /** Path of a known_hosts file that names the host "bench". */
  knownHosts: string;
  /** Where npm's peers are installed. */
  peers: string;
};

export type Ask =
  | {
      command: string;
      count: number;
      concurrency: number;
      /** Over so many hosts in turn, each with a connection of its own. */
      hosts: number;
      /** Each command on a client made for it, closed after the answer and out of its time. */
      fresh: boolean;
    }
  /** Close everything; the next command dials. */
  | { release: true };

export type Answer = { latenciesMs: number[]; failed: number; wallMs: number; error?: string };
