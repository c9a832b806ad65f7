// A stand-in for the Scrypted server, for the lab only: it behaves, towards whoever operates it, as the real one does.
//
// It opens its database (which one process may hold), then answers on its ports, and keeps a process for each plugin.
// Files in its volume make it sick: `sick` turns /login into an error, `hang` leaves it without an answer, `wedge`
// does so until it is started again, `leak` makes the plugin that it names grow, and `no-backup` spoils its backups.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";

const volume = process.env.SCRYPTED_VOLUME ?? "/server/volume";
const address = process.env.SCRYPTED_SERVER_ADDRESS ?? "127.0.0.1";
const ports = {
  secure: Number(process.env.SCRYPTED_SECURE_PORT ?? 10443),
  insecure: Number(process.env.SCRYPTED_INSECURE_PORT ?? 11080),
  debug: 10081,
};
const plugins = ["@scrypted/core", "@scrypted/snapshot"];

if (process.argv[2] === "child") runPlugin(process.argv[3]);
else await serve();

function runPlugin(id) {
  // A plugin lives as long as its server: the channel to it closes when the server dies, however it dies.
  process.on("disconnect", () => process.exit(0));
  process.on("message", () => {});
  const leaked = [];
  const sheet = join(volume, "leak");
  setInterval(() => {
    if (leaked.length < 100 && existsSync(sheet) && readFileSync(sheet, "utf8").trim() === id)
      leaked.push(Buffer.alloc(5 * 1024 * 1024, 1));
  }, 500).unref();
}

async function serve() {
  rmSync(join(volume, "wedge"), { force: true });
  await listen(createServer(), ports.debug).catch(() => {
    console.error(`Failed to listen on port ${ports.debug}. It may be in use.`);
  });
  openDatabase();
  const credentials = { key: readFileSync(join(volume, "tls.key")), cert: readFileSync(join(volume, "tls.crt")) };
  const servers = [createSecureServer(credentials, answer), createServer(answer)];
  const children = new Map(plugins.map((id) => [id, startPlugin(id)]));
  let ending = false;

  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  await listen(servers[0], ports.secure);
  await listen(servers[1], ports.insecure);
  console.log(`server listening on https://${address}:${ports.secure} and http://${address}:${ports.insecure}`);

  function startPlugin(id) {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "child", id], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    console.log(`${id} loaded, pid ${child.pid}`);
    child.on("exit", () => {
      if (ending) return;
      console.error(`plugin ${id} unexpectedly exited, restarting in 60000ms`);
      setTimeout(() => children.set(id, startPlugin(id)), 60_000);
    });
    return child;
  }

  function end() {
    ending = true;
    for (const child of children.values()) child.kill("SIGKILL");
    process.exit(143);
  }
}

/** Takes the database for this process until it ends; prints what the real server prints when another one has it. */
function openDatabase() {
  const lock = join(volume, "scrypted.db/LOCK");
  // The lock belongs to the open file, which `flock` shares for a moment and this process keeps.
  const file = openSync(lock, "a");
  const locking = spawnSync("/usr/bin/flock", ["-n", "3"], { stdio: ["ignore", "ignore", "ignore", file] });
  if (locking.error) throw locking.error;
  if (locking.status === 0) return;
  console.error(`fatal error NotOpenError: Database failed to open
    at maybeOpened (/server/node_modules/abstract-level/abstract-level.js:133:18) {
  code: 'LEVEL_DATABASE_NOT_OPEN',
  [cause]: [Error: IO error: lock ${lock}: Resource temporarily unavailable] {
    code: 'LEVEL_LOCKED'
  }
}`);
  process.exit(1);
}

function answer(request, response) {
  if (existsSync(join(volume, "hang")) || existsSync(join(volume, "wedge"))) return;
  const path = new URL(request.url ?? "/", "http://scrypted").pathname;
  const reply = (status, type, body) => response.writeHead(status, { "content-type": type }).end(body);
  if (path === "/") response.writeHead(302, { location: "./endpoint/@scrypted/core/public/" }).end();
  else if (path === "/login" && existsSync(join(volume, "sick"))) reply(500, "text/plain", "Internal Server Error");
  else if (path === "/login") {
    reply(200, "application/json", JSON.stringify({ hostname: hostname(), hasLogin: true, error: "not logged in" }));
  } else if (path === "/web/component/backup") {
    const login = `Basic ${Buffer.from(process.env.SCRYPTED_LOGIN ?? "admin:lab-only").toString("base64")}`;
    if (request.headers.authorization !== login) reply(401, "text/plain", "Not Authorized");
    else
      reply(200, "application/zip", existsSync(join(volume, "no-backup")) ? "Internal Server Error" : zipOfOneFile());
  } else if (path === "/endpoint/@scrypted/core/public/") reply(200, "text/html", "<title>Scrypted</title>");
  else reply(404, "text/plain", "Not Found");
}

/** What Scrypted's backup is: its database's files in a zip; here one of them, stored. */
function zipOfOneFile() {
  const name = Buffer.from("CURRENT");
  const data = readFileSync(join(volume, "scrypted.db/CURRENT"));
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt32LE(crc32(data), 10);
  common.writeUInt32LE(data.length, 14);
  common.writeUInt32LE(data.length, 18);
  common.writeUInt16LE(name.length, 22);
  const file = Buffer.concat([Buffer.from("PK\x03\x04"), common, name, data]);
  const entry = Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), common, Buffer.alloc(14), name]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(entry.length, 8);
  end.writeUInt32LE(file.length, 12);
  return Buffer.concat([file, entry, Buffer.from("PK\x05\x06"), end]);
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, () => resolve(undefined));
  });
}
