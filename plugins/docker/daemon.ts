// The docker daemon itself, for when no container can be asked: whether it answers, what systemd says of it, and what it
// said last. Knows no policy; starting the daemon starts every container of the host, so that is a person's to do.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import * as v from "valibot";
import { brief } from "./answers.ts";

type DaemonUnit = { unit: string; active: string; sub: string; result: string; enabled: string };
export type Daemon = {
  answers: boolean;
  /** Of the daemon; null when it does not answer. */
  version: string | null;
  /** Why it cannot be asked, in the client's words; null when it answers. */
  why: string | null;
  /** Empty on a host without systemd. */
  units: DaemonUnit[];
  said: string[];
};

export const dockerDaemon = diagnostic({
  name: "docker_daemon",
  description: "Whether the docker daemon answers, the state of its units, and what it said last.",
  input: v.strictObject({}),
  command: () =>
    script(`root docker version --format '{{.Server.Version}}' 2>&1
echo --medic:units
systemctl show -p Id,LoadState,ActiveState,SubState,Result,UnitFileState -- docker.service docker.socket containerd.service 2>/dev/null
echo --medic:journal
journalctl --no-pager --quiet -o cat -n 8 -u docker.service 2>/dev/null
echo --medic:end`),
  parse(result): Daemon | Unavailable {
    const parts = sections(result.stdout);
    if (parts["end"] === undefined) return unavailable(result);
    const said = (parts[""] ?? "").trim();
    if (/docker: (?:command )?not found|^sudo: /m.test(`${said}\n${result.stderr}`)) {
      return unavailable(said === "" ? result : brief(said));
    }
    const version = /^\d+\.\d+\S*$/m.exec(said)?.[0] ?? null;
    const lines = (parts["journal"] ?? "").split("\n").filter((line) => line !== "");
    return {
      answers: version !== null,
      version,
      why: version === null ? brief(said || "the client said nothing") : null,
      units: unitsOf(parts["units"] ?? ""),
      said: lines.map((line) => brief(line, 200)),
    };
  },
});

function unitsOf(shown: string): DaemonUnit[] {
  return shown.split(/\n\n+/).flatMap((block) => {
    const of = (key: string): string => new RegExp(`^${key}=(.*)$`, "m").exec(block)?.[1] ?? "";
    if (of("LoadState") !== "loaded") return [];
    const unit = { unit: of("Id"), active: of("ActiveState"), sub: of("SubState"), result: of("Result") };
    return { ...unit, enabled: of("UnitFileState") };
  });
}

/** What is wrong with a daemon that does not answer, and what a person has to run. */
export function daemonDown(daemon: Daemon): string {
  const down = daemon.units.filter(({ active }) => active !== "active");
  const states = down.map(({ unit, active, result }) => `${unit} is ${active} (${result})`);
  const said = daemon.said.length === 0 ? "" : `; it said last: ${daemon.said.slice(-2).join(" | ")}`;
  const units = down.map(({ unit }) => unit).filter((unit) => unit !== "containerd.service");
  const run = units.length === 0 ? "sudo systemctl restart docker.service" : `sudo systemctl start ${units.join(" ")}`;
  return `the docker daemon does not answer${states.length === 0 ? "" : `: ${states.join(", ")}`}${said}. Run: ${run}`;
}
