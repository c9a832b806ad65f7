// A Medic of one's own beside the lab's, for the drills and the real-host tests: a folder, a port and a journal that nobody
// else has, with the lab's hosts. Posts alerts as Alertmanager sends them. It judges nothing.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parse } from "yaml";
import { type IncidentRecord, isActive, type JournalEvent } from "../../core/incident/incident.ts";
import { type Journal, readJournal } from "../../core/incident/journal.ts";
import { type Lab, readLab } from "./lab.ts";
import { type Output, run, until } from "./process.ts";
import { type ServeProcess, startServe } from "./serving.ts";

/** The lab's `hosts.yaml` as it is parsed, for others to change. */
export type HostsFile = {
  server: { listen: string; data: string };
  pluginFolders?: string[];
  limits: Record<string, string | number>;
  pool: Record<string, string | number>;
  hosts: Record<string, HostEntry>;
};
export type HostEntry = {
  address: string;
  port: number;
  user: string;
  identity: string;
  hostKey: string;
  privilege: "none" | "sudo";
  trust: "observe" | "reversible" | "disruptive";
  protect: string[];
  plugins: Record<string, Record<string, unknown>>;
};

export type Story = { incident: IncidentRecord; events: JournalEvent[] };

/** A Medic of one's own: its files are in `folder`, its serve is started and ended by whoever made it. */
export type OwnMedic = {
  folder: string;
  /** Where its serve listens, and the token it takes. */
  url: string;
  token: string;
  configFile: string;
  /** Path of serve's log; every serve of this Medic appends to it. */
  logFile: string;
  /** Runs a verb to its end, as a person would. */
  verb(...args: string[]): Promise<Output>;
  /** Writes hosts.yaml anew; the next serve or verb reads it. */
  configure(change: (file: HostsFile) => void): void;
  /** `program`: another one that serves, with its arguments. */
  serve(program?: readonly string[]): Promise<ServeProcess>;
  /** Posts one alert as Alertmanager does; the incident it belongs to. */
  alert(of: { host: string; service: string; name: string; status?: "firing" | "resolved" }): Promise<string>;
  /** One incident as the journal has it now. Throws when there is none. */
  story(id: string): Story;
  /** Waits until the journal shows the claim, by looking often; throws with the events so far when it does not. */
  untilStory(id: string, claim: (story: Story) => boolean, withinSeconds: number): Promise<Story>;
  /** Waits until Medic has nothing more to do for it. */
  untilOver(id: string, withinSeconds: number): Promise<Story>;
  journal<T>(read: (journal: Journal) => T): T;
  /** Kills its serve if one is left, and removes the folder. */
  remove(): Promise<void>;
};

const main = resolve(import.meta.dirname, "../../core/main.ts");

/** `port`: the lab's own when the real monitors have to reach it; any free one when absent. */
export async function ownMedic(change: (file: HostsFile) => void = () => {}, port?: number): Promise<OwnMedic> {
  const lab = readLab();
  const folder = mkdtempSync(join(tmpdir(), "medic-lab-test-"));
  const configFile = join(folder, "hosts.yaml");
  const logFile = join(folder, "medic.log");
  const listen = `127.0.0.1:${port ?? (await freePort())}`;
  const webhookUrl = `http://${listen}/webhooks/alertmanager`;
  const own: Lab = { ...lab, webhookUrl };
  const servings: ServeProcess[] = [];

  const configure: OwnMedic["configure"] = (further) => {
    const file = parse(readFileSync(lab.config, "utf8")) as HostsFile;
    file.limits["stable"] = "2s";
    change(file);
    further(file);
    file.server = { ...file.server, listen, data: join(folder, "data") };
    // JSON is YAML.
    writeFileSync(configFile, JSON.stringify(file, null, 2));
  };
  configure(() => {});

  const journal: OwnMedic["journal"] = (read) => {
    const opened = readJournal(join(folder, "data"), { now: Date.now });
    try {
      return read(opened);
    } finally {
      opened.close();
    }
  };
  const story: OwnMedic["story"] = (id) =>
    journal((opened) => {
      const incident = opened.incident(id);
      if (incident === undefined) throw new Error(`Cannot find incident "${id}" in "${folder}"`);
      return { incident, events: opened.events(id) };
    });
  const untilStory: OwnMedic["untilStory"] = async (id, claim, withinSeconds) => {
    if (await until(() => claim(story(id)), withinSeconds)) return story(id);
    const { incident, events } = story(id);
    const kinds = events.map(({ kind }) => kind).join(", ");
    throw new Error(`Incident "${id}" is ${JSON.stringify(incident.state)} after ${withinSeconds} s: ${kinds}`);
  };

  return {
    folder,
    url: `http://${listen}`,
    token: lab.token,
    configFile,
    logFile,
    configure,
    journal,
    story,
    untilStory,
    untilOver: (id, withinSeconds) => untilStory(id, ({ incident }) => !isActive(incident.state), withinSeconds),
    verb: (...args) => run([process.execPath, main, ...args, "--config", configFile], { withinSeconds: 200 }),
    serve: async (program) => {
      const serving = await startServe(own, logFile, configFile, program);
      servings.push(serving);
      return serving;
    },
    alert: (of) => postAlert(webhookUrl, lab.token, of),
    remove: async () => {
      for (const serving of servings) await serving.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function postAlert(
  webhookUrl: string,
  token: string,
  of: { host: string; service: string; name: string; status?: "firing" | "resolved" },
): Promise<string> {
  const { host, service, name, status = "firing" } = of;
  const labels = { alertname: name, host, service };
  const startsAt = new Date().toISOString();
  const alert = {
    status,
    labels,
    annotations: {},
    startsAt,
    endsAt: status === "firing" ? "0001-01-01T00:00:00Z" : startsAt,
    generatorURL: "",
    fingerprint: `${name}-${host}-${service}`,
  };
  const body = {
    version: "4",
    groupKey: `{}:{alertname="${name}"}`,
    truncatedAlerts: 0,
    status,
    receiver: "medic",
    groupLabels: { alertname: name },
    commonLabels: labels,
    commonAnnotations: {},
    externalURL: "",
    alerts: [alert],
  };
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  const response = await fetch(webhookUrl, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = (await response.json()) as { incidents?: { id: string }[] };
  const id = answer.incidents?.[0]?.id;
  if (response.status === 202 && id !== undefined) return id;
  throw new Error(`Cannot post an alert for "${service}": ${response.status} ${JSON.stringify(answer)}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
