// Prometheus, Alertmanager and the blackbox exporter: they probe each host's Scrypted and tell Medic what they see.
//
// The probe asks the container itself, so stopping it is enough for a real alert. Their data starts empty each time:
// an alert of an earlier lab would be held back as already sent. Written as JSON, which YAML readers read.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Place } from "./keys.ts";
import { endProcess, livingProcess, signalProcess, startProcess, until } from "./process.ts";

/** Where the monitors listen, and where Alertmanager sends. */
export const endpoints = {
  prometheus: "127.0.0.1:19490",
  alertmanager: "127.0.0.1:19493",
  blackbox: "127.0.0.1:19415",
  medic: "127.0.0.1:19480",
  webhook: "http://127.0.0.1:19480/webhooks/alertmanager",
} as const;

/** In the order they start; they end the other way round. */
export const monitors = ["blackbox", "alertmanager", "prometheus"] as const;
export type Monitor = (typeof monitors)[number];

const pidFile = (folder: string, name: Monitor) => join(folder, "monitoring", `${name}.pid`);

/** Process id of a monitor, undefined when it is not up. */
export function monitorProcess(folder: string, name: Monitor): number | undefined {
  return livingProcess(pidFile(folder, name));
}

/** Starts the monitors that are not up. Prometheus begins to probe these hosts, but raises no alert before `armAlerts`. */
export async function startMonitors(folder: string, places: readonly Place[], tokenFile: string): Promise<void> {
  const home = join(folder, "monitoring");
  mkdirSync(home, { recursive: true });
  if (monitorProcess(folder, "prometheus") === undefined) {
    watchHosts(folder, places);
    watchPages(folder, []);
    replace(join(home, "rules.yml"), json({ groups: [] }));
  }
  replace(join(home, "blackbox.yml"), json(blackboxConfig));
  replace(join(home, "alertmanager.yml"), json(alertmanagerConfig(tokenFile)));
  replace(join(home, "prometheus.yml"), json(prometheusConfig(home)));

  const programs: Record<Monitor, readonly [string, ...string[]]> = {
    blackbox: ["prometheus-blackbox-exporter", `--config.file=${home}/blackbox.yml`, "--timeout-offset=0.1"],
    alertmanager: [
      "prometheus-alertmanager",
      `--config.file=${home}/alertmanager.yml`,
      `--storage.path=${home}/alertmanager`,
      "--cluster.listen-address=",
    ],
    prometheus: [
      "prometheus",
      `--config.file=${home}/prometheus.yml`,
      `--storage.tsdb.path=${home}/prometheus`,
      "--rules.alert.resend-delay=5s",
    ],
  };
  for (const name of monitors) {
    if (monitorProcess(folder, name) !== undefined) continue;
    rmSync(join(home, name), { recursive: true, force: true });
    const listen = `--web.listen-address=${endpoints[name]}`;
    const files = { pidFile: pidFile(folder, name), logFile: join(home, `${name}.log`) };
    startProcess([...programs[name], listen], files);
  }
  for (const name of monitors) {
    const url = `http://${endpoints[name]}/-/${name === "blackbox" ? "healthy" : "ready"}`;
    const ready = await until(() => {
      if (monitorProcess(folder, name) !== undefined) return answers(url);
      throw new Error(`Cannot start ${name}: it ended. Its log is "${home}/${name}.log"`);
    }, 20);
    if (!ready) throw new Error(`Cannot start ${name}: no answer from ${url} after 20 s`);
  }
}

/** Points Prometheus at these hosts, and no others. It sees the change by itself. */
export function watchHosts(folder: string, places: readonly Place[]): void {
  replace(join(folder, "monitoring", "targets.json"), json(places.map(target)));
}

/** A page that is watched beside Scrypted's; a status below 400 is well. */
export type WatchedPage = { host: string; service: string; url: string };

/** Points Prometheus at these pages, and at no page that was watched before. */
export function watchPages(folder: string, pages: readonly WatchedPage[]): void {
  const targets = pages.map(({ host, service, url }) => ({ targets: [url], labels: { host, service } }));
  replace(join(folder, "monitoring", "pages.json"), json(targets));
}

/** Waits until a page is seen to answer: from here on its alert means something. */
export async function pageAnswers({ host, service }: WatchedPage, withinSeconds = 20): Promise<void> {
  const query = encodeURIComponent(`probe_success{job="pages",host="${host}",service="${service}"} == 1`);
  const isSeen = await until(async () => list(await ask(`query?query=${query}`), "result").length > 0, withinSeconds);
  if (!isSeen) throw new Error(`Cannot see "${service}" on "${host}": no probe of it succeeds in ${withinSeconds} s`);
}

/** Waits until no alert of a host is left, at Prometheus or on its way: a new one is then about what is broken next. */
export async function alertsOver(host: string, withinSeconds = 40): Promise<void> {
  const query = encodeURIComponent(`ALERTS{host="${host}"}`);
  const url = `http://${endpoints.alertmanager}/api/v2/alerts?filter=${encodeURIComponent(`host="${host}"`)}`;
  const isOver = await until(async () => {
    const [pending, told] = await Promise.all([ask(`query?query=${query}`), fetch(url).then((one) => one.json())]);
    return list(pending, "result").length === 0 && Array.isArray(told) && told.length === 0;
  }, withinSeconds);
  if (!isOver)
    throw new Error(`Cannot wait for the alerts of "${host}" to end: some are left after ${withinSeconds} s`);
}

/** Lets Prometheus raise alerts, once it knows whom to tell: hosts that are still booting would only make noise. */
export async function armAlerts(folder: string): Promise<void> {
  const prometheus = monitorProcess(folder, "prometheus");
  if (prometheus === undefined) throw new Error("Cannot arm the alerts: Prometheus is not up");
  if (replace(join(folder, "monitoring", "rules.yml"), json(rules))) signalProcess(prometheus, "SIGHUP");
  // Reloading forgets where Alertmanager is for some seconds, and an alert that fires then is told only a minute later.
  const isArmed = await until(async () => {
    const [loaded, told] = await Promise.all([ask("rules"), ask("alertmanagers")]);
    return list(loaded, "groups").length > 0 && list(told, "activeAlertmanagers").length > 0;
  }, 20);
  if (!isArmed) throw new Error("Cannot arm the alerts: Prometheus has no rule or no Alertmanager after 20 s");
}

/** Waits until every probe succeeds: from here on an alert means something. */
export async function probesSucceed(places: readonly Place[], withinSeconds = 20): Promise<void> {
  const query = encodeURIComponent('count(probe_success{service="scrypted"} == 1) or vector(0)');
  let seen = "0";
  const well = await until(async () => {
    const [sample] = list(await ask(`query?query=${query}`), "result") as { value: [number, string] }[];
    seen = sample?.value[1] ?? "0";
    return Number(seen) >= places.length;
  }, withinSeconds);
  if (!well) {
    throw new Error(`Cannot see all Scrypteds: ${seen} of ${places.length} probes succeed after ${withinSeconds} s`);
  }
}

/** Ends the monitors; those that are not up are well. */
export async function endMonitors(folder: string): Promise<void> {
  for (const name of monitors.toReversed()) await endProcess(pidFile(folder, name));
  rmSync(join(folder, "monitoring"), { recursive: true, force: true });
}

const json = (config: object): string => `${JSON.stringify(config, null, 2)}\n`;

/** Writes a file at once, never half of it; false when it said the same already. */
function replace(path: string, text: string): boolean {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return false;
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return true;
}

/** What Prometheus answers at this place of its API. */
async function ask(path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`http://${endpoints.prometheus}/api/v1/${path}`);
  return ((await response.json()) as { data?: Record<string, unknown> }).data ?? {};
}

function list(data: Record<string, unknown>, key: string): readonly unknown[] {
  const value = data[key];
  return Array.isArray(value) ? value : [];
}

async function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(1000) }).then(
    (response) => response.ok,
    () => false,
  );
}

function target({ name, address }: Place): object {
  return { targets: [`https://${address}:10443/login`], labels: { host: name, service: "scrypted" } };
}

const blackboxConfig = {
  modules: {
    scrypted_login: {
      prober: "http",
      timeout: "900ms",
      http: {
        preferred_ip_protocol: "ip4",
        no_follow_redirects: true,
        tls_config: { insecure_skip_verify: true },
        fail_if_body_not_matches_regexp: ["hasLogin"],
      },
    },
    page: { prober: "http", timeout: "900ms", http: { preferred_ip_protocol: "ip4" } },
  },
};

const rules = {
  groups: [
    {
      name: "lab",
      rules: [
        {
          alert: "ScryptedDown",
          expr: `probe_success{service="scrypted"} == 0`,
          for: "2s",
          labels: { severity: "critical" },
          annotations: {
            summary: "{{ $labels.service }} on {{ $labels.host }} is down",
            description: "{{ $labels.instance }} has not answered for 2 seconds.",
          },
        },
        {
          alert: "PageDown",
          expr: `probe_success{job="pages"} == 0`,
          for: "2s",
          labels: { severity: "critical" },
          annotations: { summary: "{{ $labels.service }} on {{ $labels.host }} does not answer" },
        },
      ],
    },
  ],
};

function prometheusConfig(home: string): object {
  // The exporter is asked for the target, in place of the target itself.
  const probe = (name: string, module: string, file: string): object => ({
    job_name: name,
    metrics_path: "/probe",
    params: { module: [module] },
    file_sd_configs: [{ files: [`${home}/${file}`], refresh_interval: "2s" }],
    relabel_configs: [
      { source_labels: ["__address__"], target_label: "__param_target" },
      { source_labels: ["__param_target"], target_label: "instance" },
      { target_label: "__address__", replacement: endpoints.blackbox },
    ],
  });
  return {
    global: { scrape_interval: "1s", scrape_timeout: "950ms", evaluation_interval: "1s" },
    alerting: { alertmanagers: [{ static_configs: [{ targets: [endpoints.alertmanager] }] }] },
    rule_files: [`${home}/rules.yml`],
    scrape_configs: [probe("blackbox", "scrypted_login", "targets.json"), probe("pages", "page", "pages.json")],
  };
}

function alertmanagerConfig(tokenFile: string): object {
  const authorization = { type: "Bearer", credentials_file: tokenFile };
  const webhook = { url: endpoints.webhook, send_resolved: true, http_config: { authorization } };
  return {
    route: {
      receiver: "medic",
      group_by: ["alertname", "host"],
      group_wait: "1s",
      group_interval: "2s",
      repeat_interval: "1h",
    },
    receivers: [{ name: "medic", webhook_configs: [webhook] }],
  };
}
