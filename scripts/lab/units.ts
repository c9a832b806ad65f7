// The systemd services of a lab host, each made to be broken in its own way, and what Medic may do about them.
//
// A file `/var/lib/<unit>/broken` breaks lab-web and lab-flaky; removing it mends them, not their state: that is
// what a fix is for.

export type LabUnit = { name: string; unit: string; program: string };

/** Name, unit file and program of each service. */
export function labUnits(): LabUnit[] {
  return [
    {
      name: "lab-web",
      unit: unit("lab-web", "Lab web service", {
        unit: ["StartLimitIntervalSec=30", "StartLimitBurst=3"],
        service: ["Restart=on-failure", "RestartSec=1"],
      }),
      program: loop({ line: "served $n requests", failure: "FATAL: cannot open database /var/lib/lab-web/broken" }),
    },
    {
      name: "lab-null",
      unit: unit("lab-null", "Lab service that tells nothing", {
        service: ["StandardOutput=null", "StandardError=null", "Restart=always", "RestartSec=3"],
      }),
      program: loop({ line: "nobody reads line $n" }),
    },
    {
      name: "lab-flaky",
      unit: unit("lab-flaky", "Lab service that dies and stays dead", { service: ["Restart=no"] }),
      program: loop({ line: "working, round $n", failure: "FATAL: upstream refused the connection" }),
    },
    {
      name: "lab-reload",
      unit: unit("lab-reload", "Lab service that can reload", { service: ["ExecReload=/bin/kill -HUP $MAINPID"] }),
      program: loop({ line: "running, round $n", onHangup: "configuration reloaded" }),
    },
  ];
}

/**
 * What `medic` may run as root on a lab host: the text of `/etc/sudoers.d/medic`. Units are named one by one: `*` in a
 * sudoers line also matches spaces, so "lab-*.service" would let `restart -- lab-web.service ssh.service` through.
 * Docker is allowed whole, which gives nothing away: the user is in its group already.
 */
export function medicSudoers(): string {
  const fixes = ["start", "restart", "reload", "reset-failed"].flatMap((verb) =>
    labUnits().map(({ name }) => `/usr/bin/systemctl ${verb} -- ${name}.service`),
  );
  // What only reads runs below `timeout`, so that it is root who ends it.
  const reads = [
    "/usr/bin/docker",
    "/usr/bin/docker-compose",
    "/usr/bin/timeout ^-s KILL [0-9]+ (docker|docker-compose|ss) .*$",
  ];
  // The units of drills, by a pattern that stays within one name.
  const drills =
    "/usr/bin/systemctl ^(start|restart|reload|reset-failed|stop|enable|disable) -- drill-[a-z-]+\\.service$";
  // What the plugin of docs/examples/nginx asks and does.
  const nginx = [
    "/usr/bin/timeout ^-s KILL [0-9]+ nginx -t$",
    "/usr/bin/systemctl restart -- nginx.service",
    "/usr/bin/systemctl reset-failed -- nginx.service",
  ];
  const vacuum = "/usr/bin/journalctl ^--vacuum-size=[0-9]+M$";
  const commands = [...reads, ...fixes, drills, ...nginx, vacuum, "/usr/bin/systemctl daemon-reload"];
  return commands.map((command) => `medic ALL=(root) NOPASSWD: ${command}\n`).join("");
}

function unit(name: string, description: string, settings: { unit?: string[]; service?: string[] }): string {
  return [
    "[Unit]",
    `Description=${description}`,
    ...(settings.unit ?? []),
    "",
    "[Service]",
    `ExecStart=/usr/local/lib/lab/${name}`,
    `StateDirectory=${name}`,
    ...(settings.service ?? []),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

/** A program that says a line every few seconds, and ends with 3 once its `broken` file is there. */
function loop(of: { line: string; failure?: string; onHangup?: string }): string {
  const check = `if [ -e "$state/broken" ]; then echo "${of.failure}" >&2; exit 3; fi`;
  return `#!/bin/sh
state=/var/lib/$(basename "$0")
${of.onHangup ? `trap 'echo "${of.onHangup}"' HUP\n` : ""}echo "started"
n=0
while :; do
  ${of.failure ? check : ":"}
  [ $((n % 5)) -ne 0 ] || echo "${of.line}"
  n=$((n + 1))
  sleep 1 & wait $!
done
`;
}
