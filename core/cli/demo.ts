// `medic demo`: the main job on a homelab inside this process. A real Medic (intake, journal, toolbox, transport, plugins)
// heals a container that a person stopped, over real SSH to a sandbox; only the host behind the SSH server is simulated.
// Then the same burst of commands goes out as Medic sends it, and as those designs do that Medic replaces.
import { isActive, type IncidentRecord, type JournalEvent } from "../incident/incident.ts";
import { createMemoryJournal, type Journal } from "../incident/journal.ts";
import { parseConfig, readSecret } from "../config/load.ts";
import { newToken } from "../http/tokens.ts";
import { silent } from "../log.ts";
import { createSandbox, type Sandbox } from "../sandbox/sandbox.ts";
import { type Equipped, equip } from "./config-file.ts";
import { type Context, tableLines, UsageError } from "./context.ts";
import { burstOf, compareClients, type ComparisonRow } from "./demo-comparison.ts";
import { type Serving, startServing } from "./serve.ts";
import { eventLines } from "./story.ts";
import { defineVerb, jsonArg } from "./verb.ts";

const STABLE_SECONDS = 5;
const LINE_CHARACTERS_MAX = 118;

/** What an owner would write, with the values that this run made up. */
const hostsYaml = (sandbox: Sandbox, responder: string, tokenSha256: string, baseUrl: string | undefined): string => `
server:
  listen: 127.0.0.1:0
  tokens: [{ name: alertmanager, sha256: ${tokenSha256} }]
limits: { stable: ${STABLE_SECONDS}s }
responder: { order: [${responder}]${baseUrl === undefined ? "" : `, baseUrl: ${JSON.stringify(baseUrl)}`} }
hosts:
  nexus:
    address: ${sandbox.address}
    port: ${sandbox.port}
    user: ${sandbox.user}
    identity: ${JSON.stringify(sandbox.identity)}
    hostKey: ${sandbox.hostKey}
    trust: disruptive
    protect: [postgres]
    plugins:
      docker: {}
      systemd: { units: [caddy.service] }
      scrypted: {}
`;

export const demo = defineVerb({
  name: "demo",
  description: "Watch Medic heal a stopped container in a homelab inside this process",
  args: {
    responder: {
      type: "enum",
      options: ["runbook", "claude"],
      default: "runbook",
      description: "Who decides; claude needs ANTHROPIC_API_KEY",
    },
    ...jsonArg,
  },
  async run(args, context) {
    const isQuiet = args.json === true;
    const tell = isQuiet ? () => undefined : (text = ""): void => context.out.line(text);
    const sandbox = await createSandbox();
    try {
      const token = newToken();
      const equipped = await equippedFor(sandbox, args.responder, token.sha256, context);
      tell(context.out.paint("bold", "A homelab inside this process: no Docker, no root, no network is used."));
      tell(`Host "nexus", SSH on ${sandbox.address}:${sandbox.port} with the limits of a stock sshd.`);
      tell(`Fixes have to hold for ${STABLE_SECONDS} s here (limits.stable); Scrypted's own plugin asks for 120.`);
      tell();
      const { record, events } = await heal(sandbox, equipped, token.token, context, tell);
      const burst = burstOf(events, equipped.catalog, "nexus");
      tell();
      const rows = await compareClients(burst, context.stop);
      for (const line of comparisonLines(rows, burst.length, context)) tell(line);
      const outcome = outcomeOf(record, events);
      if (isQuiet) context.out.json({ outcome, seconds: secondsOf(record), results: rows });
      return outcome === "fixed" ? 0 : 1;
    } finally {
      await sandbox.close();
    }
  },
});

async function equippedFor(
  sandbox: Sandbox,
  responder: string,
  tokenSha256: string,
  { env, home, folder }: Context,
): Promise<Equipped> {
  const isClaude = responder === "claude";
  if (isClaude && !env["ANTHROPIC_API_KEY"] && !env["ANTHROPIC_API_KEY_FILE"]) {
    throw new UsageError(
      `Cannot run the demo with "--responder claude": ANTHROPIC_API_KEY is not set. Set it, or leave the option out`,
    );
  }
  const loaded = parseConfig(
    hostsYaml(sandbox, responder, tokenSha256, isClaude ? env["ANTHROPIC_BASE_URL"] : undefined),
    {
      file: "the demo's hosts.yaml",
      folder,
      home,
      readSecret,
      // Without a key no client is made, so nothing leaves this machine.
      env: isClaude ? env : {},
    },
  );
  const { problems, ...equipment } = await equip(loaded);
  if (problems.length > 0) throw new Error(`The demo's own configuration is wrong: ${problems[0]?.message ?? ""}`);
  return { ...loaded, ...equipment };
}

type Healed = { record: IncidentRecord; events: JournalEvent[] };

/** Breaks the service, sends the alert, and waits until Medic is done with it. */
async function heal(
  sandbox: Sandbox,
  equipped: Equipped,
  token: string,
  context: Context,
  tell: (text?: string) => void,
): Promise<Healed> {
  const journal = createMemoryJournal({ now: Date.now });
  const medic = await startServing({ ...equipped, journal, log: silent, agentSocket: undefined });
  try {
    const began = Date.now();
    const say = (at: number, lines: readonly string[]): void => {
      for (const [index, line] of lines.entries()) {
        const time = index === 0 ? `${((at - began) / 1000).toFixed(1).padStart(6)} s  ` : " ".repeat(10);
        tell(index === 0 ? time + line : context.out.paint("dim", shortened(time + line)));
      }
    };
    say(Date.now(), [`somebody at the console: ${context.out.paint("bold", "docker stop scrypted")}`]);
    await sandbox.homelab.run("docker stop scrypted");
    const over = whenOver(journal, (event) => say(Date.parse(event.at), eventLines(event, context.out.paint)));
    await sendAlert(medic, token, context.stop);
    const record = await Promise.race([over, stopped(context.stop)]);
    tell();
    for (const line of connectionLines(medic, sandbox)) tell(line);
    return { record, events: journal.events(record.id) };
  } finally {
    // Nobody waits for a verification that a person broke off.
    if (context.stop.aborted) await medic.desk.close(0);
    await medic.close();
    journal.close();
  }
}

/** What all that took, by both sides' count. */
function connectionLines({ transport }: Serving, sandbox: Sandbox): string[] {
  const { authenticated, refusedSessions, overlappingMost } = sandbox.counts();
  return transport
    .statistics()
    .map(
      ({ commands, reuses }) =>
        `The server counted ${authenticated} SSH ${authenticated === 1 ? "connection" : "connections"} for all of it: ${commands} commands, ${reuses} of them over a connection ` +
        `that was open, ${overlappingMost} at once, ${refusedSessions} refused.`,
    );
}

/** Shows each event, and ends with the first incident that Medic has nothing more to do on. */
async function whenOver(journal: Journal, show: (event: JournalEvent) => void): Promise<IncidentRecord> {
  return await new Promise((resolve) => {
    journal.subscribe((event) => {
      show(event);
      const record = journal.incident(event.incident);
      if (record !== undefined && !isActive(record.state)) resolve(record);
    });
  });
}

async function sendAlert({ listening }: Serving, token: string, signal: AbortSignal): Promise<void> {
  const startsAt = new Date().toISOString();
  const labels = { alertname: "ScryptedDown", host: "nexus", service: "scrypted", severity: "critical" };
  const annotations = { summary: "The probe of Scrypted's /login fails" };
  const answer = await fetch(`http://${listening.host}:${listening.port}/webhooks/alertmanager`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({
      version: "4",
      groupKey: '{}:{alertname="ScryptedDown"}',
      truncatedAlerts: 0,
      status: "firing",
      receiver: "medic",
      groupLabels: { alertname: "ScryptedDown" },
      commonLabels: labels,
      commonAnnotations: annotations,
      externalURL: "http://nexus:9093",
      alerts: [
        {
          status: "firing",
          labels,
          annotations,
          startsAt,
          endsAt: "0001-01-01T00:00:00Z",
          generatorURL: "http://nexus:9090/graph",
          fingerprint: "5d0a3c1e8b7f4a26",
        },
      ],
    }),
    signal,
  });
  if (answer.status !== 202)
    throw new Error(`The intake did not take the alert: ${answer.status} ${await answer.text()}`);
}

async function stopped(stop: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    const give = (): void => reject(stop.reason as Error);
    if (stop.aborted) give();
    else stop.addEventListener("abort", give, { once: true });
  });
}

/** What the last fix came to, as the host showed it; without one, how the incident stands. */
function outcomeOf(record: IncidentRecord, events: readonly JournalEvent[]): string {
  return events.findLast((event) => event.kind === "fix-judged")?.outcome ?? record.state.is;
}

/** From the alert to the first healthy answer; to the end when there was none. */
function secondsOf(record: IncidentRecord): number {
  return record.durationSeconds ?? (Date.parse(record.changedAt) - Date.parse(record.openedAt)) / 1000;
}

function comparisonLines(rows: readonly ComparisonRow[], burst: number, { out }: Context): string[] {
  const names = {
    "per-command": "a connection per command",
    "seed-dict": "a dictionary, check-await-store",
    medic: "Medic",
  };
  const header = ["client", "connections", "commands", "reused", "failed", "ms"];
  const cells = rows.map((row) => [
    names[row.client],
    row.serverConnections,
    row.commands,
    row.reused,
    row.failed,
    row.wallMs,
  ]);
  const lines = tableLines(header, cells);
  return [
    out.paint(
      "bold",
      `The ${burst} diagnostics of that incident, asked at once over a cold start, each on a fresh server:`,
    ),
    "",
    ...lines.map((line, index) =>
      index === 0 ? out.paint("dim", line) : index === lines.length - 1 ? out.paint("green", line) : line,
    ),
    "",
    "Connections are counted by the server. Failed: dropped by MaxStartups 10:30:100, or refused by MaxSessions 10.",
  ];
}

function shortened(text: string): string {
  return text.length <= LINE_CHARACTERS_MAX ? text : `${text.slice(0, LINE_CHARACTERS_MAX - 1)}…`;
}
