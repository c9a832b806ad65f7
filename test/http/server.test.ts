import assert from "node:assert/strict";
import { request } from "node:http";
import { connect } from "node:net";
import { describe, it } from "node:test";
import * as v from "valibot";
import { acceptedShape, errorShape } from "../../core/http/shapes.ts";
import { listen, ListenError, type Listening } from "../../core/http/server.ts";
import { frontDoor, limits, webhook } from "./front-door.ts";

const loopback = { host: "127.0.0.1", port: 0 };

async function open(
  door = frontDoor(),
  headersWithinSeconds = 10,
): Promise<AsyncDisposable & Listening & { url: string }> {
  const listening = await listen(door.app, { ...loopback, headersWithinSeconds });
  return {
    ...listening,
    url: `http://127.0.0.1:${listening.port}`,
    [Symbol.asyncDispose]: () => listening.close(0),
  };
}

/** Writes raw bytes and resolves with all that came back once the server ends the connection. */
function raw(port: number, ...parts: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("close", () => resolve(text));
    socket.on("error", (error: Error & { code?: string }) =>
      error.code === "ECONNRESET" ? resolve(text) : reject(error),
    );
    for (const part of parts) socket.write(part);
  });
}

describe("the listening server", () => {
  it("takes a webhook over the network", async () => {
    const door = frontDoor();
    await using server = await open(door);
    const response = await fetch(`${server.url}/webhooks/alertmanager`, {
      method: "POST",
      body: JSON.stringify(webhook({})),
      headers: { "content-type": "application/json", authorization: door.authorization },
    });
    assert.equal(response.status, 202);
    const { incidents } = v.parse(acceptedShape, await response.json());
    assert.equal(door.journal.incident(incidents[0]?.id ?? "")?.state.is, "open");
  });

  it("refuses an endless body without a length, after the limit and not after its end", async () => {
    const door = frontDoor({ limits: { ...limits, alertBytes: 10_000 } });
    await using server = await open(door);
    const { status, body, sent } = await new Promise<{ status: number; body: string; sent: number }>(
      (resolve, reject) => {
        let sent = 0;
        const headers = { "content-type": "application/json", authorization: door.authorization };
        const outgoing = request(`${server.url}/webhooks/alertmanager`, { method: "POST", headers }, (incoming) => {
          let body = "";
          incoming.setEncoding("utf8").on("data", (chunk) => (body += String(chunk)));
          incoming.on("end", () => {
            clearInterval(timer);
            outgoing.destroy();
            resolve({ status: incoming.statusCode ?? 0, body, sent });
          });
        });
        const timer = setInterval(() => {
          sent += 1000;
          outgoing.write("x".repeat(1000));
        }, 1);
        outgoing.on("error", (error) => {
          clearInterval(timer);
          reject(error);
        });
      },
    );
    assert.equal(status, 413);
    assert.match(v.parse(errorShape, JSON.parse(body)).error, /larger than 10000 bytes/);
    assert.ok(sent < 1_000_000, `${sent} bytes were taken`);
    assert.equal(door.journal.incidents().length, 0);
  });

  it("refuses a body that says it is too large before any of it arrives", async () => {
    const door = frontDoor();
    await using server = await open(door);
    const head = `POST /webhooks/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: ${door.authorization}\r\n`;
    const text = await raw(server.port, `${head}Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{`);
    assert.match(text, /^HTTP\/1\.1 413 /);
    assert.match(text, /connection: close/i);
  });

  it("hangs up on a client that does not finish its headers, and on headers without end", async () => {
    await using server = await open(frontDoor(), 0.2);
    const began = Date.now();
    await raw(server.port, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    assert.ok(Date.now() - began < 5000);
    const text = await raw(server.port, `GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(100_000)}\r\n\r\n`);
    assert.doesNotMatch(text, /^HTTP\/1\.1 200 /);
    assert.equal((await fetch(`${server.url}/livez`)).status, 200);
  });

  it("refuses what is no HTTP, and goes on", async () => {
    await using server = await open();
    for (const text of [
      "\0\x01garbage\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
      "GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      "GET /incidents/%ff%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      "POST /incidents HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]) {
      assert.match(await raw(server.port, text), /^(HTTP\/1\.1 4\d\d |$)/, JSON.stringify(text));
    }
    assert.equal((await fetch(`${server.url}/livez`)).status, 200);
  });

  it("says in one line that the port is taken, and takes it when it is free", async () => {
    const first = await listen(frontDoor().app, loopback);
    const again = { ...loopback, port: first.port };
    await assert.rejects(listen(frontDoor().app, again), (error) => {
      assert.ok(error instanceof ListenError);
      assert.match(
        error.message,
        new RegExp(`^Cannot listen on "127.0.0.1:${first.port}": the port is taken. End what`),
      );
      return true;
    });
    await first.close(0);
    await (await listen(frontDoor().app, again)).close(0);
  });

  it("says in one line that an address is not this machine's", async () => {
    await assert.rejects(listen(frontDoor().app, { host: "203.0.113.1", port: 0 }), {
      name: "ListenError",
      message: /^Cannot listen on "203.0.113.1:0": this machine has no such address. Set another/,
    });
  });

  it("lets a request that is under way end when it closes, and takes no other", async () => {
    let finish = (): void => undefined;
    const door = frontDoor({
      runTool: ({ tool }) =>
        new Promise((resolve) => {
          finish = () => resolve({ tool, outcome: "found" });
        }),
    });
    const server = await open(door);
    const headers = { "content-type": "application/json", authorization: door.authorization };
    const under = fetch(`${server.url}/hosts/nexus/tools/x`, { method: "POST", body: "{}", headers });
    await new Promise((resolve) => void setTimeout(resolve, 50));
    const closed = server.close(10);
    await assert.rejects(fetch(`${server.url}/livez`));
    finish();
    assert.equal((await under).status, 200);
    await closed;
  });
});
