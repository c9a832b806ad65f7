// Medic's configuration for the lab: what an owner of these hosts would write.
import { createHash } from "node:crypto";
import { scryptedFolder } from "./host-files.ts";
import type { LabHost } from "./lab.ts";
import { endpoints } from "./monitoring.ts";

/** The text of `hosts.yaml` for these hosts. The token is there as its hash only. */
export function medicConfig(of: {
  folder: string;
  hosts: readonly LabHost[];
  identity: string;
  token: string;
}): string {
  const hash = createHash("sha256").update(of.token).digest("hex");
  return `# Written by the lab; replaced by each "up".
server:
  listen: ${endpoints.medic}
  data: ${JSON.stringify(`${of.folder}/data`)}
  tokens:
    - { name: alertmanager, sha256: "${hash}" }
alerts:
  host: [host]
  service: [service]
responder:
  order: [runbook]
# Things are broken on purpose here, more often than at home; each time is a story of its own.
limits: { stable: 10s, fixesPerService: 100, fixesPerHost: 100, fixesInAll: 1000, breakerWindow: 0, recurWithin: 0 }
pool: { idleTimeout: 5m }
hosts:
${of.hosts.map((host) => hostConfig(host, of.identity)).join("")}`;
}

function hostConfig(host: LabHost, identity: string): string {
  return `  ${host.name}:
    address: ${host.address}
    port: ${host.port}
    user: medic
    identity: ${JSON.stringify(identity)}
    hostKey: ${host.hostKey}
    privilege: sudo
    trust: disruptive
    protect: [postgres, mosquitto]
    plugins:
      docker: { composeFolders: [${scryptedFolder}] }
      systemd: { units: ["lab-*.service"] }
      scrypted: { container: scrypted, url: "${host.scrypted}", composeFolder: ${scryptedFolder} }
`;
}
