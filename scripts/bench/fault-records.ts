// What both sides wrote down while a fault struck: what each caller was told, what the host ran, what sshd logged. The
// table is made of these files and of nothing else, when it is measured and again whenever the report is written.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { countLog } from "./sshd-log.ts";
import type { Told } from "./reckoning.ts";

export type Records = {
  /** In the order in which they were asked for. */
  told: Told[];
  /** The number of a command, each time that the host ran one. */
  ran: string[];
  /** Logins that sshd wrote down. */
  serverConnections: number;
};

const recordFiles = ["told.jsonl", "ran", "sshd.log"] as const;
/** Of all kept files together, compressed: they are committed. */
const keptBytesMax = 2_000_000;

/** Of one fault; plain files, or compressed ones that were kept. */
export function readRecords(folder: string): Records {
  const [told, ran, log] = recordFiles.map((name) => readRecord(folder, name));
  const lines = (text = "") => text.split("\n").filter((line) => line !== "");
  return {
    told: lines(told)
      .map((line) => JSON.parse(line) as Told)
      .toSorted((a, b) => Number(a.id) - Number(b.id)),
    ran: lines(ran),
    serverConnections: countLog(log ?? "").authenticated,
  };
}

/** Copies the records of a whole run, a folder for each fault, compressed, in place of those that were there. */
export function keepRecords(from: string, to: string): void {
  const kept = readdirSync(from).flatMap((fault) =>
    recordFiles.map((name) => ({ fault, name, bytes: gzipSync(readRecord(join(from, fault), name), { level: 9 }) })),
  );
  const size = kept.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (size > keptBytesMax)
    throw new Error(`Cannot keep the records of ${from}: ${size} bytes compressed, ${keptBytesMax} are the limit`);
  rmSync(to, { recursive: true, force: true });
  for (const { fault, name, bytes } of kept) {
    mkdirSync(join(to, fault), { recursive: true });
    writeFileSync(join(to, fault, `${name}.gz`), bytes);
  }
}

function readRecord(folder: string, name: string): string {
  const path = join(folder, name);
  if (existsSync(path)) return readFileSync(path, "utf8");
  if (existsSync(`${path}.gz`)) return gunzipSync(readFileSync(`${path}.gz`)).toString("utf8");
  throw new Error(`Cannot count the faults again: there is no "${path}" and no "${path}.gz"`);
}
