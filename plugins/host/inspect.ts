// host_inspect: a read-only command that no other tool has, as an argument vector. The rules decide what may be run;
// files are only read below the folders the owner configured, and the host itself says where a path really leads.
import { diagnostic, refuse, script, unavailable } from "medic/plugin";
import * as v from "valibot";
import type { HostOptions } from "./inputs.ts";
import { fit, rules } from "./inspect-rules.ts";

const OUTPUT_LENGTH_MAX = 32_000;
/** The host's own "no" about a path; no program of the list ends so. */
const NOT_BELOW = 93;

// $1 folder, $2 path, then the program with its flags. A link may lead anywhere, so the host resolves both first.
const readBelow = `base=$(readlink -f -- "$1") && path=$(readlink -f -- "$2") || { echo "there is no $2" >&2; exit 2; }
case "$path/" in
  "$base"/*) ;;
  *) echo "$2 leads to $path, which is not below $1" >&2; exit ${NOT_BELOW};;
esac
case "$path" in
  /dev/*|/proc/*|/sys/*) echo "$path is a device or the kernel's, where reading does things" >&2; exit ${NOT_BELOW};;
  */shadow*|*/gshadow*|*.key|*.pem|*.p12|*.pfx|*.kdbx|*.ovpn|*/.env*|*/id_*|*/.ssh/*|*/.aws/*|*/.gnupg/*|*/secrets/*|*/.netrc|*/.pgpass|*/.npmrc|*/.git-credentials|*/.docker/config.json|*/wpa_supplicant*.conf)
    echo "$path holds secrets by its name" >&2; exit ${NOT_BELOW};;
esac
shift 2
case "$1" in
  cat|head|tail) [ ! -e "$path" ] || [ -f "$path" ] || { echo "$path is no regular file: it may never end" >&2; exit ${NOT_BELOW}; };;
esac
exec "$@" "$path"
`;

const printable = v.pipe(
  v.string(),
  v.maxLength(200, "an argument has at most 200 characters"),
  v.regex(/^[\x21-\x7e]+$/, "an argument is printable ASCII without blanks"),
);

export const hostInspect = diagnostic({
  name: "host_inspect",
  description:
    "Runs one read-only program with its arguments, from an allow-list; no shell, no pipes. Allowed: " +
    Object.values(rules)
      .map(({ usage }) => usage)
      .join("; "),
  input: v.strictObject({
    program: v.pipe(v.string(), v.maxLength(32), v.regex(/^[a-z][a-z0-9]*$/, "a program is named by its bare name")),
    arguments: v.optional(v.pipe(v.array(printable), v.maxLength(12, "at most 12 arguments")), []),
  }),
  command(input, options: HostOptions) {
    const fitting = fit(input.program, input.arguments);
    if ("not" in fitting) return refuse(fitting.not);
    const { file } = fitting;
    if (file === undefined) return [input.program, ...fitting.arguments];
    const folder = folderOf(file, options);
    if (folder === undefined) {
      return refuse(`"${file}" is not below ${options.folders.join(", ")} (plugins.host.folders in hosts.yaml)`);
    }
    return script(readBelow, folder, file, input.program, ...fitting.arguments);
  },
  parse(result, input) {
    if (result.exit === 127 || result.exit === NOT_BELOW) return unavailable(result);
    if (result.exit === 2 && result.stderr.startsWith("there is no ")) return unavailable(result);
    const printed = result.stdout.trimEnd();
    const output = input.program === "journalctl" ? printed.split("\n").toReversed().join("\n") : printed;
    const errors = result.stderr.trim();
    const cut = output.length > OUTPUT_LENGTH_MAX || result.cutBytes > 0;
    return {
      command: [input.program, ...input.arguments].join(" "),
      exit: result.exit,
      output: output.slice(-OUTPUT_LENGTH_MAX),
      ...(errors === "" ? {} : { errors: errors.slice(-2000) }),
      ...(cut ? { cut: "only the newest part of the output" } : {}),
    };
  },
});

/** The folder a path lies below by its text; what it leads to is asked on the host. */
function folderOf(path: string, { folders }: HostOptions): string | undefined {
  if (!/^\/[\w.@+,:=/-]+$/.test(path) || path.split("/").includes("..")) return undefined;
  return folders.find((folder) => `${path}/`.startsWith(folder.endsWith("/") ? folder : `${folder}/`));
}
