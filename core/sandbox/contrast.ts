// What Medic is measured against, written as those designs are, faults included: a connection for each command, and the
// dictionary of connections that the published fix put in its place (check, await, store). Nothing else uses them.
import ssh2, { type Client } from "ssh2";

export type ContrastTarget = { address: string; port: number; user: string; privateKey: string | Buffer };

export type ContrastClient = {
  name: "per-command" | "seed-dict";
  /** Rejects when the command did not run to exit 0. */
  run(command: string): Promise<void>;
  close(): Promise<void>;
};

/** As `conn = await connect(); await conn.run(); conn.close()`. */
export function perCommand(target: ContrastTarget): ContrastClient {
  return {
    name: "per-command",
    async run(command) {
      const client = await connect(target);
      try {
        await exec(client, command);
      } finally {
        client.end();
      }
    },
    close: async () => {},
  };
}

/** As `if host in connections: …; conn = await connect(); connections[host] = conn`: all that miss at once dial. */
export function seedDict(target: ContrastTarget): ContrastClient {
  const connections = new Map<string, Client>();
  // Not part of the design: those that lost the race would stay open for ever, and this process with them.
  const all = new Set<Client>();
  return {
    name: "seed-dict",
    async run(command) {
      let client = connections.get(target.address);
      if (client === undefined) {
        client = await connect(target);
        all.add(client);
        connections.set(target.address, client);
        client.once("close", () => connections.delete(target.address));
      }
      await exec(client, command);
    },
    async close() {
      await Promise.all([...all].map((client) => ended(client)));
    },
  };
}

function connect({ address, port, user, privateKey }: ContrastTarget): Promise<Client> {
  const { promise, resolve, reject } = Promise.withResolvers<Client>();
  const client = new ssh2.Client();
  client.on("error", reject);
  client.once("close", () => reject(new Error("the host hung up")));
  client.once("ready", () => resolve(client));
  client.connect({ host: address, port, username: user, privateKey, readyTimeout: 60_000 });
  return promise;
}

function exec(client: Client, command: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.exec(command, (error, channel) => {
    if (error !== undefined) return reject(error);
    channel.resume().stderr.resume();
    channel.once("close", (code: number | undefined) => {
      if (code === 0) resolve();
      else reject(new Error(`ended with ${String(code)}`));
    });
  });
  return promise;
}

function ended(client: Client): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  client.once("close", () => resolve());
  client.end();
  // A connection that is closed already tells nothing more.
  setTimeout(resolve, 1000).unref();
  return promise;
}
