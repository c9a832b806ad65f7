// A backup of Scrypted's settings, made by Scrypted itself and kept on its own host: users, devices, plugins, no recordings.
// The login of an administrator stands in ~/.netrc of Medic's user there, so it never passes through Medic.
import { call, diagnostic, fix, refuse, script, sections, unavailable } from "medic/plugin";
import type { Inquiry, Plan, Refusal, Unavailable } from "medic/plugin";
import * as v from "valibot";
import { hostOf } from "./options.ts";
import type { ScryptedOptions } from "./options.ts";
import { scryptedHttpProbe } from "./probe.ts";

const folderText = `folder=$1
if [ -z "$folder" ]; then folder=$HOME/scrypted-backups; fi`;

export type Backups = {
  folder: string;
  /** Whether there is a ~/.netrc to log in with. */
  hasLogin: boolean;
  newest: { path: string; at: string; bytes: number; isZip: boolean } | null;
};

export const scryptedBackups = diagnostic({
  name: "scrypted_backups",
  description:
    "The newest backup that scrypted_backup made on Scrypted's host: where, when, how big, and whether it is one.",
  input: v.strictObject({}),
  command: (_input, options: ScryptedOptions) =>
    script(
      `${folderText}
echo "$folder"
echo --medic:login
if [ -r "$HOME/.netrc" ]; then echo yes; else echo no; fi
echo --medic:newest
newest=$(ls -1 -- "$folder" 2>/dev/null | grep -E '^scrypted-[0-9TZ-]+[.]zip$' | sort | tail -n 1)
if [ -n "$newest" ]; then
  stat -c '%Y %s %n' -- "$folder/$newest"
  head -c 4 -- "$folder/$newest"
fi
echo
echo --medic:end`,
      options.backupFolder ?? "",
    ),
  parse(result): Backups | Unavailable {
    const parts = sections(result.stdout);
    if (parts["end"] === undefined) return unavailable(result);
    const [row = "", magic = ""] = (parts["newest"] ?? "").split("\n");
    const stat = /^(\d{1,12}) (\d{1,15}) (\/.+)$/.exec(row);
    return {
      folder: (parts[""] ?? "").trim(),
      hasLogin: parts["login"] === "yes",
      newest:
        stat === null
          ? null
          : {
              path: stat[3] ?? "",
              at: new Date(Number(stat[1]) * 1000).toISOString(),
              bytes: Number(stat[2]),
              // An archive of nothing begins with other bytes.
              isZip: magic.startsWith("PK\u0003\u0004"),
            },
    };
  },
});

export const scryptedBackup = fix({
  name: "scrypted_backup",
  description:
    "Let Scrypted make a backup of its settings, kept on its host under a name with the time. Needs an administrator's login in ~/.netrc of Medic's user there.",
  risk: "reversible",
  input: v.strictObject({}),
  watch: () => ({ probe: call(scryptedHttpProbe, {}), backups: call(scryptedBackups, {}) }),
  // oxlint-disable-next-line require-yield -- what it watches is all it needs
  *plan(_input, options: ScryptedOptions, { probe, backups }): Inquiry<Plan | Refusal> {
    if (!probe.answers) return refuse(`Scrypted makes its backups itself, and it does not answer: ${probe.why}`);
    if (!backups.hasLogin) {
      return refuse(
        `there is no login to make it with. On that host, as Medic's user, write ~/.netrc (mode 600) with one line: ` +
          `machine ${hostOf(options)} login <administrator of Scrypted> password <its password>`,
      );
    }
    return { steps: [script(backupText, options.backupFolder ?? "", options.url)], touches: [options.container] };
  },
  marker: ({ backups }) => backups.newest?.path,
  healthy: ({ backups: { newest } }, before) =>
    newest !== null && newest.isZip && newest.bytes > 0 && newest.path !== before.backups.newest?.path,
  withinSeconds: 30,
  stableSeconds: 0,
  timeoutSeconds: 300,
});

// Under its name only once it is whole. Nothing older is removed.
const backupText = `${folderText}
umask 077
mkdir -p -- "$folder" || exit
part=$folder/.scrypted-backup.part
curl --insecure --silent --show-error --fail --noproxy '*' --max-time 240 --netrc --output "$part" -- "$2/web/component/backup" || exit
case "$(head -c 2 -- "$part")" in
  PK) ;;
  *) echo "what Scrypted sent is no zip file" >&2; rm -f -- "$part"; exit 1 ;;
esac
mv -- "$part" "$folder/scrypted-$(date -u +%Y-%m-%dT%H%M%SZ).zip"`;
