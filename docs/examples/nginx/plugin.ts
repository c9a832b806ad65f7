// The plugin for nginx, written with docs/plugins.md alone: its configuration is tested before anything is restarted, since a
// restart with a broken one ends the server that still runs with the old one.
import {
  call,
  definePlugin,
  diagnostic,
  fix,
  look,
  matches,
  mayHaveRun,
  need,
  refuse,
  runbook,
  unavailable,
} from "medic/plugin";
import type { Command, Decision, Inquiry } from "medic/plugin";
import { systemdJournal, systemdStatus } from "medic/plugins/systemd";
import * as v from "valibot";

const options = v.strictObject({
  unit: v.pipe(
    v.optional(v.pipe(v.string(), v.maxLength(100), v.regex(/^[a-zA-Z0-9][\w:.@-]*\.service$/)), "nginx.service"),
    v.description("The unit it runs as"),
  ),
  url: v.pipe(
    v.optional(v.pipe(v.string(), v.maxLength(200), v.regex(/^https?:\/\/[\w.:/[\]-]+$/)), "http://127.0.0.1/"),
    v.description("Where it answers, as seen from its own host"),
  ),
});
type Options = v.InferOutput<typeof options>;

export const nginxConfig = diagnostic({
  name: "nginx_config",
  description: "Whether nginx accepts its configuration; if not, the file, the line and what is wrong there.",
  input: v.strictObject({}),
  command: () => ["root", "nginx", "-t"],
  parse(result) {
    if (/test is successful/.test(result.stderr)) return { valid: true } as const;
    const why = /\[(?:emerg|alert|crit)\] (?:\d+#\d+: )?(.*)/.exec(result.stderr)?.[1];
    // It tests by opening what it would open, so without root it fails whatever the configuration is.
    if (why === undefined || /\(13: Permission denied\)/.test(why)) return unavailable(result);
    const [, what = why, file, line] = /^(.*) in (\/\S+):(\d+)$/.exec(why) ?? [];
    return {
      valid: false,
      why: what.slice(0, 300),
      ...(file === undefined ? {} : { file, line: Number(line) }),
    } as const;
  },
});

export const nginxProbe = diagnostic({
  name: "nginx_probe",
  description: "Whether nginx answers at its address, and with which status; any status is an answer.",
  input: v.strictObject({}),
  command: (_input, { url }: Options) => [
    "curl",
    "-sS",
    "-o",
    "/dev/null",
    "-w",
    "%{http_code}",
    "--max-time",
    "5",
    "-k",
    "--",
    url,
  ],
  parse(result) {
    // curl: 6 no such name, 7 nobody listens, 28 too slow, 35 no TLS, 52 and 56 closed without an answer.
    if ([6, 7, 28, 35, 52, 56].includes(result.exit)) {
      return { answers: false, why: result.stderr.trim().slice(0, 300) || `curl ended with ${result.exit}` } as const;
    }
    const code = /^[1-5]\d\d$/.exec(result.stdout.trim())?.[0];
    return result.exit !== 0 || code === undefined
      ? unavailable(result)
      : ({ answers: true, code: Number(code) } as const);
  },
});

const seeing = (unit: string) => ({
  status: call(systemdStatus, { unit }),
  config: call(nginxConfig, {}),
  probe: call(nginxProbe, {}),
});

export const nginxRestart = fix({
  name: "nginx_restart",
  description: "Starts or restarts nginx, once its configuration is valid; a start limit is forgotten first.",
  risk: "disruptive",
  input: v.strictObject({}),
  watch: (_input, { unit }: Options) => seeing(unit),
  *plan(_input, { unit }: Options, { status, config, probe }) {
    if (!status.exists) return refuse(`there is no unit "${unit}" on this host`);
    if (status.job !== 0) return refuse(`"${status.id}" has a job pending: something else is changing it now`);
    if (!config.valid) return refuse(`its configuration is broken, a restart would end it: ${config.why}`);
    if (status.active === "active" && probe.answers) return refuse("it answers");
    const restart: Command = ["root", "systemctl", "restart", "--", status.id];
    const forget: Command = ["root", "systemctl", "reset-failed", "--", status.id];
    return { steps: status.active === "failed" ? [forget, restart] : [restart], touches: [status.id] };
  },
  marker: ({ status }) =>
    status.exists && status.job === 0 && status.invocation !== "" ? status.invocation : undefined,
  pending: ({ status }) => status.exists && status.job !== 0,
  healthy: ({ status, probe }) => status.exists && status.active === "active" && probe.answers,
  withinSeconds: 60,
  stableSeconds: 15,
});

export const nginxNotServing = runbook({
  title: "nginx does not serve",
  guidance: "Test its configuration first: a server that still runs has the old one, and a restart would end it.",
  when: (incident, { unit }: Options) => matches(["nginx", unit], incident.service),
  *decide(incident, { unit }: Options) {
    const { status, config, probe } = yield* need(seeing(unit));
    if (!status.exists) return { escalate: `there is no unit "${unit}" on this host` };
    if (!config.valid) {
      const where = "file" in config ? `${config.file}:${config.line}: ` : "";
      const still = probe.answers ? "; it still serves with the configuration it began with" : "";
      return { escalate: `its configuration is broken: ${where}${config.why}${still}` };
    }
    if (status.active === "active" && probe.answers) return { well: `it answers with ${probe.code}` };
    if (incident.attempts.some(mayHaveRun)) return yield* lastWords(unit, status.active);
    return { fix: call(nginxRestart, {}) };
  },
});

/** A restart did not help: what nginx said last, which names a port that is taken. */
function* lastWords(unit: string, active: string): Inquiry<Decision> {
  const { journal } = yield* look({ journal: call(systemdJournal, { unit, since: "1h", lines: 50 }) });
  const lines = "lines" in journal ? journal.lines : [];
  const taken = lines
    .map((line) => /bind\(\) to (\S+) failed \(98: /.exec(line)?.[1])
    .findLast((port) => port !== undefined);
  const said =
    taken === undefined ? (lines.at(-1) ?? "its journal says nothing") : `${taken} is taken by something else`;
  return { escalate: `it was restarted and is ${active}, without an answer: ${said}` };
}

export default definePlugin({
  name: "nginx",
  apiVersion: 1,
  summary: "nginx: tests its configuration, sees whether it answers, restarts it when that can help.",
  options,
  tools: [nginxConfig, nginxProbe, nginxRestart],
  runbooks: [nginxNotServing],
  heals: ({ unit }) => ["nginx", unit],
  owns: ({ unit }) => [unit],
  evidence: (_incident, { unit }) => ({ ...seeing(unit), journal: call(systemdJournal, { unit }) }),
  hints: [[/nginx: not found|nginx: command not found/, "nginx is in /usr/sbin: add it to the PATH of Medic's user"]],
  sudoers: ({ unit }) => ({
    reads: ["/usr/sbin/nginx -t"],
    fixes: [`/usr/bin/systemctl restart -- ${unit}`, `/usr/bin/systemctl reset-failed -- ${unit}`],
  }),
});
