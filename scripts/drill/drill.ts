// What a drill is: data. It says in shell text, run as a lab host's root, how the thing is broken for real and how it is
// put back, what an alert would say of it, and what Medic has to make of it. Refuses to know how that is carried out.
import type { HostEntry } from "../lab/own-medic.ts";

/**
 * How an incident may end: a fix of Medic's that is proven; found well, nothing done; left to a person with a reason;
 * left to a person with a fix that waits for a yes; kept for later because the owner wants no fix now; ended because the
 * owner wants it so.
 */
export type Outcome = "fixed" | "well" | "escalated" | "asked" | "held" | "dismissed";

export type Drill = {
  /** Kebab-case, its family first. */
  name: string;
  /** What is broken, in one sentence. */
  tells: string;
  alert: { name: string; service: string };
  /**
   * The lab's Prometheus and Alertmanager raise the alert, in place of a posted one: by their standing probe of Scrypted, or
   * by one of this port of the host while the drill runs. It has to answer once the drill is prepared.
   */
  raisedBy?: "scrypted probe" | { httpPort: number };
  expected: Outcome;
  /** The fixes that Medic has to begin, in this order, and no other. */
  fixes: readonly string[];
  /** What the last word to a person has to hold; regular expressions. */
  says?: readonly string[];
  /** Names of containers and units that the drill is about; any other one that changes is a bystander. */
  subjects: readonly string[];
  /** One of those that stand for all: each family, each kind of end, and the real monitors, in three quarters of a minute. */
  quick?: true;
  /** A person opens a maintenance window for the service before it is broken. */
  maintenance?: true;
  /** Neither docker nor systemd begin a run of a subject by its fix: what else proves it, the drill's words have to say. */
  keepsRun?: true;
  /** Changes what the owner says of this host. */
  configure?(host: HostEntry): void;
  /** Shell text: what has to be there and well before it is broken. */
  prepare?: string;
  /** Shell text: breaks it. */
  break: string;
  /** Shell text: puts back what `sweep` does not know of. Runs after the drill, however that ended. */
  restore?: string;
  /** Scrypted's container was replaced: it has to be made anew. */
  remakesScrypted?: true;
  /** A person says yes to the fix that Medic asks for. */
  approve?: true;
  /** How long Medic may take. */
  withinSeconds?: number;
};

/** Shell text: `$address` is the host's own, as its Scrypted has it; all hosts share this machine's network. */
export const hostAddress = `address=$(docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' scrypted | sed -n 's/^SCRYPTED_SERVER_ADDRESS=//p')`;

/** Everything that drills make has this prefix, so that one sweep finds what any of them left behind. */
export const drillPrefix = "drill-";

/**
 * Ends and removes what drills leave on a host: containers, units with their drop-ins, mounts, files, a stopped docker
 * or sshd. Safe to run on a host that no drill has touched.
 */
export const sweep = `
systemctl stop 'drill-*' 2>/dev/null
for pid in $(cat /run/drill-*.pid 2>/dev/null); do kill -KILL "$pid" 2>/dev/null; done
systemctl stop nginx.service 2>/dev/null
for unit in ssh.service docker.socket docker.service; do systemctl is-active -q "$unit" || systemctl start "$unit"; done
names=$(docker ps -aq --filter name=^drill-)
if [ -n "$names" ]; then docker rm -f $names >/dev/null; fi
for mount in $(cut -d ' ' -f 2 /proc/mounts | grep '^/srv/drill-'); do umount -l "$mount"; done
rm -rf /run/systemd/system/drill-* /etc/systemd/system/drill-* /run/drill-* /srv/drill-* /var/lib/drill-* /dev/drill-*
systemctl daemon-reload
systemctl reset-failed 'drill-*' 2>/dev/null
find /sys/fs/cgroup/memory -depth -type d -name 'drill-*' -exec rmdir {} \\; 2>/dev/null
exit 0
`;
