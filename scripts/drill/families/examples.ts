// Drills of the plugin in docs/examples/nginx, on Debian's own nginx: what a stranger wrote with the docs alone, against a
// server that is really broken, and alerts that a real monitor raises.
import { nginxPort } from "../../lab/host-files.ts";
import type { HostEntry } from "../../lab/own-medic.ts";
import type { Drill } from "../drill.ts";

const site = "/etc/nginx/sites-available/default";
const alert = { name: "PageDown", service: "nginx" };

function configure(host: HostEntry): void {
  host.plugins["nginx"] = { url: `http://${host.address}:${nginxPort}/` };
}

const nginx = {
  alert,
  raisedBy: { httpPort: nginxPort },
  subjects: ["nginx.service"],
  configure,
  prepare: "systemctl start nginx.service",
} as const;

export const exampleDrills: readonly Drill[] = [
  {
    ...nginx,
    name: "example-nginx-stopped",
    tells: "somebody stopped nginx; the monitor's probe of its page fails",
    expected: "fixed",
    fixes: ["nginx_restart"],
    break: "systemctl stop nginx.service",
  },
  {
    ...nginx,
    name: "example-nginx-broken-by-an-edit",
    tells: "somebody mistyped a directive of nginx and restarted it; the monitor's probe of its page fails",
    quick: true,
    expected: "escalated",
    fixes: [],
    says: ['/etc/nginx/sites-enabled/default:3: unknown directive "rooot"'],
    break: `sed -i 's/\\troot /\\trooot /' ${site}; systemctl restart nginx.service || true`,
    restore: `sed -i 's/rooot/root/' ${site}`,
  },
];
