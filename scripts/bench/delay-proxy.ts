// A network in between, as a process of its own: passes TCP on, each way later by half the round trip, in order and at
// any speed. It ends TCP on both of its sides, so it hides what Nagle's algorithm and lost packets would do between client
// and server; that is measured without it. Arguments: port of the server, milliseconds each way. Says its own port.
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

const [port = 0, delayMs = 0] = process.argv.slice(2).map(Number);

const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
  const far = connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
  pass(near, far);
  pass(far, near);
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
// Whoever started it is gone.
process.stdin.resume().once("end", () => process.exit(0));

function pass(from: Socket, to: Socket): void {
  const queue: { dueAt: number; act: () => void }[] = [];
  let isWaiting = false;
  const later = (act: () => void) => {
    queue.push({ dueAt: performance.now() + delayMs, act });
    wait();
  };
  const wait = () => {
    const [next] = queue;
    if (next === undefined || isWaiting) return;
    isWaiting = true;
    setTimeout(flush, Math.max(0, Math.floor(next.dueAt - performance.now())));
  };
  const flush = () => {
    // Timers know whole milliseconds; the rest of one is passed by asking again.
    const now = performance.now();
    while (queue[0] !== undefined && queue[0].dueAt <= now) queue.shift()?.act();
    const [next] = queue;
    if (next !== undefined && next.dueAt - now < 1) setImmediate(flush);
    else {
      isWaiting = false;
      wait();
    }
  };
  from.on("data", (chunk) => later(() => void to.write(chunk)));
  from.on("end", () => later(() => void to.end()));
  from.on("error", () => later(() => void to.destroy()));
  from.on("close", () => later(() => to.destroySoon()));
}
