// A link that breaks on demand: passes TCP on until told otherwise. `cut` ends it as a reset would; `silence` is a cable
// pulled: nothing arrives any more and nobody is told.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export type FaultProxy = {
  port: number;
  cut(): void;
  /** Of all that is open, for ever; and of all that is dialed until `heal`. */
  silence(): void;
  heal(): void;
  close(): Promise<void>;
};

export async function startFaultProxy(serverPort: number): Promise<FaultProxy> {
  const pairs = new Set<{ near: Socket; far: Socket | undefined; isDead: boolean }>();
  let isSilent = false;
  const server = createServer({ noDelay: true }, (near) => {
    near.on("error", () => {});
    if (isSilent) {
      pairs.add({ near: near.pause(), far: undefined, isDead: true });
      return;
    }
    const far = connect({ host: "127.0.0.1", port: serverPort, noDelay: true });
    far.on("error", () => {});
    const pair = { near, far, isDead: false };
    pairs.add(pair);
    near.pipe(far);
    far.pipe(near);
    // A dead link tells neither side of the other's end.
    const ended = (other: Socket) => () => void (pair.isDead || other.destroy());
    near.once("close", ended(far));
    far.once("close", ended(near));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const { near, far } of pairs) {
      near.destroy();
      far?.destroy();
    }
    pairs.clear();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    silence() {
      isSilent = true;
      for (const pair of pairs) {
        pair.isDead = true;
        pair.near.unpipe().pause();
        pair.far?.unpipe().pause();
      }
    },
    heal: () => void (isSilent = false),
    async close() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
