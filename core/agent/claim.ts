// The claims of a fix, as the host keeps them: a folder made beforehand, in it one claim per step. Who makes `<place>/<step>`
// has the step: a folder is the dispatch's (see transport/quote.ts), a file is Medic's, and nobody can have it twice.
// Core's own diagnostics: shell texts and what their answers mean. It refuses to know what a fix does.
//
//   no claim ──(the dispatch arrives)──▶ folder     it began, once
//       └─────(Medic asks about it)────▶ file       it never began, and never can
//
// The folder is made before the intent is written, so it also says whether the host that is asked is the one that was
// prepared, and whether anything there was lost since: a claim in a folder that is gone means nothing.
import { createHash } from "node:crypto";
import * as v from "valibot";
import type { HostIdentity } from "../incident/fix.ts";
import { diagnostic, script, type Unavailable, unavailable } from "../plugin/contract.ts";

/** The host as it was found, with a place for the claims. */
export type Prepared = { place: string; machine?: string; boot?: string };

/** `running`: the process that took it is still there. */
export type Claim = { is: "ours" } | { is: "taken"; running: boolean } | { is: "not-made" };

/** `claims`: one per step that was asked for; absent when their folder is gone. */
export type Taken = Pick<Prepared, "machine" | "boot"> & { claims?: readonly Claim[] };

/** A host may say anything, and the journal keeps it. */
const BOOT_CHARACTERS_MAX = 64;

const attempt = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
const place = v.pipe(v.string(), v.maxLength(4096), v.regex(/^\/[^\n]*medic-[0-9a-f]{32}$/));
const step = v.pipe(v.number(), v.integer(), v.minValue(0));

const whoIsThere = `id=$(cat /etc/machine-id 2>/dev/null || cat /var/lib/dbus/machine-id 2>/dev/null)
echo "machine $id"
echo "boot $(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"`;

/**
 * Makes the folder. /tmp first: it is there on every host, is no login's own (XDG_RUNTIME_DIR goes with the last logout),
 * and its sticky bit keeps other users from removing what they cannot have guessed either.
 */
export const prepareClaims = diagnostic({
  name: "claims_prepare",
  description: "Makes a folder for the claims of one fix, and tells which machine it is.",
  input: v.strictObject({ attempt }),
  command: (input) =>
    script(
      `umask 077
for folder in /tmp /var/tmp "$HOME" /dev/shm; do
  [ -d "$folder" ] && mkdir -p "$folder/medic-$1" 2>/dev/null && echo "place $folder/medic-$1" && break
done
${whoIsThere}`,
      input.attempt,
    ),
  parse(result, input): Prepared | Unavailable {
    if (result.exit !== 0) return unavailable(result);
    const found = v.safeParse(place, valueOf(result.stdout, "place"));
    if (!found.success || !found.output.endsWith(`/medic-${input.attempt}`)) {
      return { unavailable: "no claim can be kept there: /tmp, /var/tmp, home and /dev/shm are full or read-only" };
    }
    return { place: found.output, ...machineOf(result.stdout) };
  },
});

/** Only tells which machine it is. */
export const identify = diagnostic({
  name: "machine_identity",
  description: "Tells which machine it is.",
  input: v.strictObject({}),
  command: () => script(whoIsThere),
  parse: (result): Pick<Prepared, "machine" | "boot"> | Unavailable =>
    result.exit === 0 ? machineOf(result.stdout) : unavailable(result),
});

/** Takes the claims of these steps, unless they are taken. Asked again, it finds its own. */
export const takeClaims = diagnostic({
  name: "claims_take",
  description: "Keeps the steps of a fix that have not begun from ever beginning, and tells which have.",
  input: v.strictObject({ place, from: step, steps: v.pipe(v.number(), v.integer(), v.minValue(1)) }),
  command: (input) =>
    script(
      `${whoIsThere}
[ -d "$1" ] || exit 0
echo "folder there"
number=$2
while [ "$number" -lt "$3" ]; do
  claim=$1/$number
  (set -C; : >"$claim") 2>/dev/null
  if [ -d "$claim" ]; then
    running=no
    pid=$(cat "$claim/pid" 2>/dev/null)
    [ -n "$pid" ] && [ -d "/proc/$pid" ] && running=yes
    echo "claim taken $running"
  elif [ -f "$claim" ]; then echo "claim ours"
  else echo "claim not-made"
  fi
  number=$((number + 1))
done`,
      input.place,
      String(input.from),
      String(input.steps),
    ),
  parse(result, input): Taken | Unavailable {
    if (result.exit !== 0) return unavailable(result);
    const machine = machineOf(result.stdout);
    if (valueOf(result.stdout, "folder") !== "there") return machine;
    const claims = [...result.stdout.matchAll(/^claim (.+)$/gm)].map(([, said = ""]) => claimOf(said));
    const wanted = input.steps - input.from;
    if (claims.length !== wanted)
      return { unavailable: `it told of ${claims.length} claims, ${wanted} were asked for` };
    return { ...machine, claims };
  },
});

/** Removes the claims of a fix whose every step exited by itself: such a dispatch cannot arrive again. */
export const dropClaims = diagnostic({
  name: "claims_drop",
  description: "Removes the claims of a fix that is over.",
  input: v.strictObject({ place }),
  command: (input) => script(`rm -f "$1"/*/pid; for claim in "$1"/*; do rmdir "$claim"; done; rmdir "$1"`, input.place),
  parse: () => ({}),
});

/** Why the machine that answers is not the one that was recorded; undefined when nothing speaks against it. */
export function otherMachine(
  host: string,
  now: HostIdentity,
  recorded: HostIdentity | undefined,
  pinnedKey: string | undefined,
): string | undefined {
  // A key that hosts.yaml pins is a person's word, newer than what was recorded; the connection holds to it.
  const isOtherKey = pinnedKey === undefined && isOther(now.hostKey, recorded?.hostKey);
  const what = isOtherKey
    ? `its host key is ${now.hostKey ?? "not known"}, and fixes so far met ${recorded?.hostKey}`
    : isOther(now.machine, recorded?.machine)
      ? "its /etc/machine-id is not the one that fixes so far met"
      : undefined;
  if (what === undefined) return undefined;
  return `"${host}" is not the machine it was: ${what}. If you rebuilt it, run medic accept ${host}`;
}

function isOther(now: string | undefined, before: string | undefined): boolean {
  return before !== undefined && now !== before;
}

function claimOf(said: string): Claim {
  if (said === "ours") return { is: "ours" };
  return said.startsWith("taken ") ? { is: "taken", running: said === "taken yes" } : { is: "not-made" };
}

function machineOf(stdout: string): Pick<Prepared, "machine" | "boot"> {
  const id = valueOf(stdout, "machine");
  const boot = valueOf(stdout, "boot").slice(0, BOOT_CHARACTERS_MAX);
  return { ...(id === "" ? {} : { machine: digestOf(id) }), ...(boot === "" ? {} : { boot }) };
}

/** As machine-id(5) asks: never shown itself, but hashed together with a word of the application's own. */
function digestOf(machineId: string): string {
  return createHash("sha256").update(`medic:${machineId}`).digest("hex").slice(0, 32);
}

/** The first line of this name counts. */
function valueOf(stdout: string, name: string): string {
  return new RegExp(`^${name} (.*)$`, "m").exec(stdout)?.[1]?.trim() ?? "";
}
