// The hosts.yaml that `medic init` writes: what was found, in the order and with the comments a person would want. Pure text;
// knows no file and no host.
import { stringify } from "yaml";
import type { HostEntry } from "../../config/ssh-import.ts";
import type { Survey } from "./survey.ts";

/** A host that is written down. Without an entry it is this machine. */
export type Met = { name: string; entry?: HostEntry & { hostKey: string }; survey: Survey };

export type Written = {
  listen: string;
  data: string | undefined;
  tokenFile: string;
  sha256: string;
  hosts: readonly Met[];
};

export function hostsText({ listen, data, tokenFile, sha256, hosts }: Written): string {
  return `# Medic's settings, made by medic init. A running medic serve takes changes up by itself.
#
#   medic config check   says whether they make sense, and if not, on which line
#   medic doctor         says whether the hosts agree, and what mends it
#   docs/hosts.schema.json describes every setting; the hosts.yaml that Medic comes with shows each

# Where alerts arrive and where the journal is kept. The token may bring alerts and nothing else; medic token new makes others.
server:
  listen: ${listen}
${data === undefined ? "" : `  data: ${scalar(data)}\n`}  tokens:
    - { name: alertmanager, sha256: ${sha256}, roles: [intake] } # the token itself: ${tokenFile}

# Who decides. Runbooks need no model; Claude is asked after them when ANTHROPIC_API_KEY is set.
responder:
  order: [runbook, claude]

# Where you hear of changes, and who notices when Medic itself is gone; medic notify test tries the first.
# notify:
#   - ntfy: { url: https://ntfy.example, topic: medic, token: "\${NTFY_TOKEN}" }
# heartbeat: { url: "\${MEDIC_HEARTBEAT_URL}" }

# By the name that alerts use in their label host. trust is the most a fix may disturb without asking you:
#   observe      nothing: Medic looks, and asks
#   reversible   start what is stopped
#   disruptive   restart what runs
hosts:
${hosts.map(hostText).join("\n")}`;
}

function hostText({ name, entry, survey }: Met): string {
  const settings =
    entry === undefined
      ? ["transport: local"]
      : Object.entries(entry).map(
          ([key, value]) => `${key}: ${scalar(value)}${key === "hostKey" ? " # seen and agreed to" : ""}`,
        );
  const lines = [
    ...settings,
    `privilege: ${privilegeOf(survey)}`,
    "trust: observe",
    'protect: [] # what a fix never touches, e.g. [postgres, "*-db"]',
    ...pluginLines(survey),
  ];
  return [`  ${scalar(name)}:`, ...lines.map((line) => `    ${line}`), ""].join("\n");
}

function pluginLines({ docker, containers, systemd, units, scrypted }: Survey): string[] {
  const lines: string[] = [];
  if (docker === "denied")
    lines.push("  docker: {} # it is there, and this user may not use it: medic doctor says what mends it");
  else if (docker !== undefined) lines.push(`  docker: {} # ${containers} containers`);
  if (systemd) {
    const found =
      units.length === 0 ? "units that Medic may heal, e.g. [caddy.service]" : "made on this host, and running";
    lines.push(`  systemd: { units: ${inFlow(units)} } # ${found}`);
  }
  if (scrypted === "unit") lines.push("  scrypted: {}");
  else if (scrypted !== undefined) {
    lines.push(`  scrypted: ${inFlow({ container: scrypted.container })} # url, if it is not https://localhost:10443`);
  }
  return lines.length === 0 ? ["plugins: {}"] : ["plugins:", ...lines];
}

/** Without a password, as Medic asks for it: a user who has it may do more with it than without. */
function privilegeOf({ isRoot, hasSudo, docker }: Survey): "none" | "sudo" {
  return !isRoot && (hasSudo || docker === "sudo") ? "sudo" : "none";
}

function scalar(value: unknown): string {
  return stringify(value, { lineWidth: 0 }).trim();
}

/** On one line with others, where a comma or a bracket in a name would end it. */
function inFlow(value: object): string {
  const padding = !Array.isArray(value);
  return stringify(value, { lineWidth: 0, collectionStyle: "flow", flowCollectionPadding: padding }).trim();
}

export function alertmanagerText(url: string, tokenFile: string): string {
  return `receivers:
  - name: medic
    webhook_configs:
      - url: ${url}/webhooks/alertmanager
        send_resolved: true
        http_config: { authorization: { credentials_file: ${tokenFile} } }`;
}
