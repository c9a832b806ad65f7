// What the real-host tests share: a look at a host past its sshd, containers of their own, and Scrypted as the lab began.
// It judges nothing: the tests do, by what the host shows.
import { inHost, onHost, readLab } from "../../scripts/lab/lab.ts";
import { until } from "../../scripts/lab/process.ts";

/** What docker did with a container since a moment of `dockerNow`: its actions, oldest first, without health checks. */
export async function dockerActions(host: string, container: string, since: string): Promise<string[]> {
  // docker forgets the last second of a time that has not passed yet.
  const until = `$(($(date +%s) + 1))`;
  const asked = `docker events --since ${since} --until ${until} --filter container=${container} --format '{{.Action}}'`;
  return (await onHost(host, asked)).split("\n").filter((action) => action !== "" && !action.startsWith("exec_"));
}

/** Now, as docker's events count it on that host. */
export function dockerNow(host: string): Promise<string> {
  return onHost(host, "date +%s.%N");
}

/** How often an action is among them. */
export function count(actions: readonly string[], action: string): number {
  return actions.filter((each) => each === action).length;
}

/** A container's StartedAt, with `running` or its other state before it. */
export function runOf(host: string, container: string): Promise<string> {
  return onHost(host, `docker container inspect -f '{{.State.Status}} {{.State.StartedAt}}' ${container}`);
}

/** StartedAt of every container of a host. */
export function allRuns(host: string): Promise<string> {
  return onHost(host, `docker container inspect -f '{{.Name}} {{.State.StartedAt}}' $(docker ps -aq) | sort`);
}

/** Scrypted's volume on a lab host: `sick` and `hang` in it make Scrypted so. */
export const scryptedVolume = "/home/operator/.scrypted/volume";

/** Brings Scrypted back to how the lab began, and waits until it answers. */
export async function restoreScrypted(host: string): Promise<void> {
  await onHost(host, `rm -f ${scryptedVolume}/sick ${scryptedVolume}/hang; docker start scrypted`);
  const { scrypted } = readLab().hosts.find(({ name }) => name === host) ?? { scrypted: "" };
  const answers = async (): Promise<boolean> =>
    (await inHost(host, ["curl", "-skm2", `${scrypted}/login`])).stdout.includes("hasLogin");
  if (!(await until(answers, 20))) throw new Error(`Cannot restore Scrypted on "${host}": /login does not answer`);
}

/** Starts a container that is not Scrypted's, from the lab's smallest image. Any earlier one of the name is removed. */
export async function startContainer(host: string, name: string, options: string, shell: string): Promise<void> {
  await removeContainer(host, name);
  const line = `docker run -d --name ${name} --network none ${options} eclipse-mosquitto:2 sh -c '${shell}'`;
  await onHost(host, line);
}

export async function removeContainer(host: string, name: string): Promise<void> {
  await inHost(host, ["docker", "rm", "-f", name]);
}

/** Makes the text what Medic may do by sudo on a host, once visudo has agreed to it. */
export async function installSudoers(host: string, text: string): Promise<void> {
  const checked = await inHost(host, ["visudo", "-cf", "-"], text);
  if (checked.exit !== 0) throw new Error(`Cannot install sudoers on "${host}": ${checked.stdout}${checked.stderr}`);
  const file = "/etc/sudoers.d/medic";
  // sudo reads no file with a dot in its name, so it never sees half a file.
  const install = `cat > ${file}.new && chmod 440 ${file}.new && mv ${file}.new ${file}`;
  const { exit, stderr } = await inHost(host, ["sh", "-c", install], `${text}\n`);
  if (exit !== 0) throw new Error(`Cannot install sudoers on "${host}": ${stderr.trim()}`);
}
