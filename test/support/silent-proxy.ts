// A network between Medic and a host that can fall silent, as one does behind a NAT that forgot, a pulled cable or a
// suspended machine: both TCP connections stay up, nothing is said, and bytes are lost. Runs inside the test.
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** What of a connection is lost: everything, or only what the host says. */
type Loss = "all" | "answers";

export type SilentProxy = AsyncDisposable & {
  address: string;
  port: number;
  /** Accepted so far. */
  accepted(): number;
  /** From now on, for the connections that are there. They stay silent; new ones pass. */
  silence(loss?: Loss): void;
  /** Connections accepted from now on fall silent once the host has said so many bytes; `undefined`: never. */
  silenceAfterBytes(bytes: number | undefined): void;
  /** Hangs up on both sides, without a goodbye. */
  cut(): void;
  /** Bytes that were lost, both ways. */
  lostBytes(): number;
};

type Passing = { near: Socket; far: Socket; loss: Loss | undefined };

export async function startSilentProxy(target: { address: string; port: number }): Promise<SilentProxy> {
  const passing = new Set<Passing>();
  let accepted = 0;
  let lost = 0;
  let silentAfter: number | undefined;

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    accepted += 1;
    const far = connect({ host: target.address, port: target.port, noDelay: true, allowHalfOpen: true });
    const pair: Passing = { near, far, loss: undefined };
    const limit = silentAfter;
    let said = 0;
    passing.add(pair);
    near.on("data", (chunk) => {
      if (pair.loss === "all") lost += chunk.length;
      else far.write(chunk);
    });
    far.on("data", (chunk) => {
      said += chunk.length;
      if (limit !== undefined && said > limit) pair.loss = "all";
      if (pair.loss === undefined) near.write(chunk);
      else lost += chunk.length;
    });
    const pass = (from: Socket, to: Socket) => {
      const isLost = () => pair.loss === "all" || (pair.loss === "answers" && from === far);
      from.on("end", () => isLost() || to.end());
      from.on("error", () => isLost() || to.destroy());
      from.on("close", () => isLost() || to.destroySoon());
    };
    pass(near, far);
    pass(far, near);
  });
  const cut = () => {
    for (const { near, far } of passing) {
      near.destroy();
      far.destroy();
    }
    passing.clear();
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.33", resolve));
  return {
    address: "127.0.0.33",
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    silence(loss = "all") {
      for (const pair of passing) pair.loss = loss;
    },
    silenceAfterBytes: (bytes) => void (silentAfter = bytes),
    cut,
    lostBytes: () => lost,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
