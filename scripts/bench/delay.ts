// The delay proxy as a benchmark uses it: started, asked for its port, and its real round trip measured, since a timer in
// userspace is never exact.
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { end, nodeArguments, start } from "./child.ts";
import type { Closing } from "./closing.ts";
import { median, rounded } from "./statistics.ts";

const proxyFile = fileURLToPath(import.meta.resolve("./delay-proxy.ts"));

/** The port to dial instead, and the round trip that a plain echo saw through it. */
export async function startDelay(
  closing: Closing,
  port: number,
  rttMs: number,
): Promise<{ port: number; measuredRttMs: number }> {
  const proxy = await startProxy(closing, port, rttMs);
  return { port: proxy, measuredRttMs: await measureRtt(closing, rttMs) };
}

async function startProxy(closing: Closing, port: number, rttMs: number): Promise<number> {
  const child = start(nodeArguments(proxyFile, String(port), String(rttMs / 2)));
  closing.add(() => end(child));
  if (child.stdout === null) throw new Error("Cannot start the delay proxy: it has no output");
  const [line] = (await Promise.race([once(createInterface(child.stdout), "line"), once(child, "exit")])) as [unknown];
  if (typeof line !== "string") throw new Error(`Cannot start the delay proxy: it ended with ${String(line)}`);
  return Number(line);
}

async function measureRtt(closing: Closing, rttMs: number): Promise<number> {
  const echo = createServer({ noDelay: true }, (socket) => socket.pipe(socket));
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  closing.add(() => void echo.close());
  const port = await startProxy(closing, (echo.address() as AddressInfo).port, rttMs);
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  const seen: number[] = [];
  for (let count = 0; count < 12; count += 1) {
    const sentAt = performance.now();
    socket.write("?");
    await once(socket, "data");
    seen.push(performance.now() - sentAt);
  }
  socket.destroy();
  // The first ones carry the connecting.
  return rounded(median(seen.slice(2)), 1);
}
