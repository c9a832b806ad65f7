// One file for the edge, the Deno edition: a shell script with Deno and the bundle packed behind it. It unpacks itself once
// into a folder of whoever runs it and then runs with the permissions in this list: no other program than the shell
// (for `transport: local` and systemd-notify), no foreign code, no code from the network.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** Hosts, keys, folders and variables are the owner's to name in hosts.yaml, so of these nothing can be left out here. */
export const denoPermissions: readonly string[] = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys=homedir",
  "--allow-run=/bin/sh",
];
const denoOptions = ["--no-config", "--no-lock", "--no-remote", "--no-npm", "--no-prompt", "--quiet"];

export type DenoParts = { bundle: string; deno: string; version: string; folder: string };

/** Writes the self-extracting file to `out`. */
export function makeDenoFile({ bundle, deno, version, folder }: DenoParts, out: string): void {
  const inside = join(folder, "inside");
  mkdirSync(inside, { recursive: true });
  copyFileSync(deno, join(inside, "deno"));
  copyFileSync(bundle, join(inside, "medic.cjs"));
  chmodSync(join(inside, "deno"), 0o755);
  chmodSync(join(inside, "medic.cjs"), 0o644);
  const same = ["--format=ustar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
  const archive = execFileSync("tar", ["-c", ...same, "-C", inside, "deno", "medic.cjs"], {
    maxBuffer: 2 ** 30,
  });
  const packed = gzipSync(archive, { level: 9 });
  const digest = createHash("sha256").update(packed).digest("hex").slice(0, 16);
  const part = `${out}.part`;
  writeFileSync(part, Buffer.concat([Buffer.from(script(version, digest)), packed]));
  chmodSync(part, 0o755);
  renameSync(part, out);
}

function script(version: string, digest: string): string {
  const text = (offset: number): string => `#!/bin/sh
# Medic ${version}, the Deno edition. It unpacks itself once into $CACHE_DIRECTORY (systemd sets it), else
# $XDG_CACHE_HOME/medic, else ~/.cache/medic, and runs there. Needs sh, tar, gzip and glibc.
set -eu
cache=\${CACHE_DIRECTORY:-\${XDG_CACHE_HOME:-\${HOME:?Cannot unpack Medic: set HOME or XDG_CACHE_HOME}/.cache}/medic}
home=$cache/${version}-${digest}
umask_was=$(umask)
umask 077
mkdir -p "$cache"
# Whoever owns it could have put another program there.
if [ ! -O "$cache" ]; then
  echo "Cannot unpack Medic into \\"$cache\\": it is another user's. Set XDG_CACHE_HOME to a folder of your own" >&2
  exit 3
fi
if [ ! -x "$home/deno" ]; then
  part=$(mktemp -d "$cache/unpacking.XXXXXX")
  if ! tail -c +${offset} "$0" | tar -xzf - -C "$part"; then
    rm -rf "$part"
    echo "Cannot unpack Medic into \\"$cache\\": see above. Make room there, or set XDG_CACHE_HOME" >&2
    exit 3
  fi
  # Another start may have been quicker; what earlier versions unpacked is not needed any more, nor what a start that was
  # killed left.
  mv -T "$part" "$home" 2>/dev/null || rm -rf "$part"
  x=[0-9a-f]
  for old in "$cache"/[0-9]*-$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x; do
    [ "$old" = "$home" ] || rm -rf "$old"
  done
  find "$cache" -maxdepth 1 -name 'unpacking.??????' -mmin +60 -exec rm -rf {} + 2>/dev/null || :
fi
umask "$umask_was"
# Meant for somebody's Node.
unset NODE_OPTIONS
DENO_DIR=$home/cache DENO_NO_UPDATE_CHECK=1 exec "$home/deno" run ${denoOptions.join(" ")} \\
  ${denoPermissions.join(" ")} "$home/medic.cjs" "$@"
`;
  // The script names its own length, whose digits are part of it.
  let offset = 0;
  while (Buffer.byteLength(text(offset)) + 1 !== offset) offset = Buffer.byteLength(text(offset)) + 1;
  return text(offset);
}
