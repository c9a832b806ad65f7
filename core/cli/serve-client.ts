// How other verbs reach a running `serve`: the note it leaves in the data folder says where it listens and holds a token
// made for this machine alone (mode 0600, new at each start). Verbs that change anything go this way while it runs.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import * as v from "valibot";
import { JournalError } from "../incident/journal-error.ts";
import { type Journal, openJournal } from "../incident/journal.ts";
import { CannotTell } from "./context.ts";

const noteShape = v.object({ url: v.string(), token: v.string(), pid: v.number() });
export type ServeNote = v.InferOutput<typeof noteShape>;

const FILE = "serve.json";

/** Leaves the note; the caller removes it with `removeNote` when it stops. */
export function writeNote(dataFolder: string, note: ServeNote): void {
  const file = join(dataFolder, FILE);
  // Removed first: an older file keeps its mode when it is written over.
  rmSync(file, { force: true });
  writeFileSync(file, `${JSON.stringify(note)}\n`, { mode: 0o600 });
}

export function removeNote(dataFolder: string): void {
  rmSync(join(dataFolder, FILE), { force: true });
}

/** Undefined when no serve left one. A note may be stale after a crash: the call then fails with CannotTell. */
export function readNote(dataFolder: string): ServeNote | undefined {
  try {
    return v.parse(noteShape, JSON.parse(readFileSync(join(dataFolder, FILE), "utf8")));
  } catch {
    return undefined;
  }
}

/** Opens the journal for writing; undefined when a running serve has it, so that the change has to go there. */
export function openUnlessServed(folder: string): Journal | undefined {
  try {
    return openJournal(folder, { now: Date.now });
  } catch (error) {
    if (error instanceof JournalError && error.fault === "locked" && readNote(folder) !== undefined) return undefined;
    throw error;
  }
}

/** Calls the running serve; throws CannotTell when it does not answer. `status` and body are the caller's to judge. */
export async function callServe(
  note: ServeNote,
  path: string,
  options: { method?: string; body?: unknown; signal: AbortSignal },
): Promise<{ status: number; body: unknown }> {
  try {
    return await exchange(note, path, options);
  } catch (error) {
    options.signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new CannotTell(`Cannot reach medic serve at ${note.url}: ${why}. Is it still running (process ${note.pid})?`);
  }
}

/** Why serve said no, of the body that it said it with. */
export function errorOf(body: unknown): string {
  return typeof body === "object" && body !== null && "error" in body ? String(body.error) : "medic serve refused";
}

/** Not with fetch: it gives up after five minutes, and a fix may be watched for longer before it is answered. */
async function exchange(
  note: ServeNote,
  path: string,
  { method = "GET", body, signal }: Parameters<typeof callServe>[2],
): Promise<{ status: number; body: unknown }> {
  const headers = { authorization: `Bearer ${note.token}`, "content-type": "application/json" };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(new URL(path, note.url), { method, signal, headers }, resolve);
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown };
}
