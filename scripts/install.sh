#!/bin/sh
# Installs Medic's one file, upgrades it in place, goes back to the one before, and takes it away again. It verifies the
# checksum, tries the new file before anything points to it, and puts the old one back when the new one is not well. Without
# --system it needs no root and starts nothing. It refuses to touch hosts.yaml and the journal, but for --uninstall --purge.
#
#   PREFIX/lib/medic/releases/<file>-<hash>   what is kept: the one in use and the one before
#   PREFIX/lib/medic/current, previous        links to them
#   PREFIX/bin/medic                          a link to current
set -eu
# What is installed is for whoever runs it, also where root keeps its own files to itself.
umask 022

usage() {
  cat <<'TEXT'
Usage: install.sh [--from FOLDER|URL] [--version VERSION] [--deno] [--prefix FOLDER] [--system] [--dry-run]
       install.sh --rollback  [--prefix FOLDER] [--system] [--dry-run]
       install.sh --uninstall [--purge] [--prefix FOLDER] [--system] [--dry-run]

  --from       where the files and SHA256SUMS are: a folder, or an https URL (default: dist beside this script)
  --version    which one, when there are several
  --deno       the smaller file that brings Deno in place of Node
  --prefix     where to (default: ~/.local; with --system /usr/local)
  --system     for root: a user medic, /etc/medic, and a systemd unit
  --dry-run    say what would be done, and do nothing
  --rollback   go back to the release before this one
  --uninstall  take Medic away; settings, keys and the journal stay
  --purge      with --uninstall: they go too
TEXT
}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'Cannot install Medic: %s\n' "$*" >&2
  exit 1
}
wrong() {
  printf 'Cannot install Medic: %s\n\n' "$*" >&2
  usage >&2
  exit 2
}
# Runs a command, or says that it would.
run() {
  if [ "$dry" = yes ]; then say "would run: $*"; else "$@"; fi
}

here=$(dirname -- "$0")
from='' version='' edition='' prefix='' system=no dry=no action=install purge=no
while [ $# -gt 0 ]; do
  case $1 in
    --from | --version | --prefix)
      [ $# -ge 2 ] || wrong "$1 needs a value"
      case $1 in
        --from) from=$2 ;;
        --version) version=$2 ;;
        --prefix) prefix=$2 ;;
      esac
      shift
      ;;
    --deno) edition=-deno ;;
    --system) system=yes ;;
    --dry-run) dry=yes ;;
    --rollback) action=rollback ;;
    --uninstall) action=uninstall ;;
    --purge) purge=yes ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) wrong "unknown option \"$1\"" ;;
  esac
  shift
done
[ "$purge" = no ] || [ "$action" = uninstall ] || wrong "--purge goes with --uninstall"

if [ "$system" = yes ]; then
  [ "$dry" = yes ] || [ "$(id -u)" = 0 ] || fail "--system is for root. Run it with sudo, or leave --system out"
  : "${prefix:=/usr/local}"
else
  : "${prefix:=${HOME:?HOME is not set}/.local}"
fi
case $prefix in
  /*) ;;
  *) prefix=$(pwd)/$prefix ;;
esac
prefix=${prefix%/}
lib=$prefix/lib/medic
bin=$prefix/bin/medic
unit=/etc/systemd/system/medic.service
settings=/etc/medic
data=/var/lib/medic
work='' switching=no
trap finish EXIT
trap 'exit 1' HUP INT TERM

# Whatever ends this: what is not known to be well yet is not left in use.
finish() {
  if [ "$switching" = yes ]; then
    go_back
    if [ "$as" = unit ]; then systemctl restart medic.service || :; fi
    if [ -n "$was" ]; then say "broken off: $(basename "$was") is in use again"; else say "broken off"; fi
  fi
  [ -z "$work" ] || rm -rf -- "$work"
}

architecture() {
  case $(uname -m) in
    x86_64 | amd64) say x64 ;;
    aarch64 | arm64) say arm64 ;;
    *) fail "there is no file for $(uname -m), only for x86_64 and aarch64" ;;
  esac
}

# fetch NAME FILE: copies one file of --from.
fetch() {
  case $from in
    https://* | http://127.0.0.1:*) download "$from/$1" "$2" ;;
    http://*) fail "\"$from\" is not https, so anybody on the way could change the file and its checksum. Use https, or a folder" ;;
    *)
      cp -- "$from/$1" "$2" 2>/dev/null ||
        fail "\"$from/$1\" cannot be read. Name the folder that npm run build filled with --from"
      ;;
  esac
}

download() {
  if command -v curl >/dev/null 2>&1; then
    # No redirect leads to where anybody could change it.
    curl --fail --silent --show-error --location --proto-redir =https --output "$2" -- "$1" || fail "\"$1\" cannot be fetched"
  elif command -v wget >/dev/null 2>&1; then
    # The same, as far as wget can tell: it follows none.
    wget -q --max-redirect=0 -O "$2" -- "$1" || fail "\"$1\" cannot be fetched. Where it redirects, curl is needed"
  else
    fail "there is neither curl nor wget. Fetch the files yourself and name their folder with --from"
  fi
}

checksum() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d ' ' -f 1
}

# The one name in SHA256SUMS that is for this machine.
choose() {
  pattern="medic-${version:-[0-9][0-9A-Za-z.+-]*}-linux-$(architecture)$edition"
  names=$(sed -n 's/^[0-9a-f]\{64\} [ *]\(.*\)$/\1/p' "$work/SHA256SUMS" | while read -r one; do
    # shellcheck disable=SC2254 # it is a pattern on purpose
    case $one in $pattern) case $one-$edition in *-deno-) ;; *) say "$one" ;; esac ;; esac
  done)
  case $(printf '%s\n' "$names" | grep -c .) in
    0) fail "\"$from\" has no $pattern" ;;
    1) say "$names" ;;
    *) fail "\"$from\" has several: $(printf '%s' "$names" | tr '\n' ' '). Choose one with --version" ;;
  esac
}

# Puts the link $1 to $2 in one step.
point() {
  ln -s -- "$2" "$1.new.$$"
  mv -f -- "$1.new.$$" "$1"
}

# Whether PREFIX/bin/medic is a link that this script made.
is_own() { [ "$(readlink "$bin" 2>/dev/null || :)" = "$lib/current" ]; }

runs_as_unit() { [ "$system" = yes ] && systemctl is-active --quiet medic.service; }

# Whether what current leads to is well: it tells its version, and where a unit runs, that one is well within a minute.
is_well() {
  "$lib/current" version >/dev/null 2>&1 || return 1
  [ "$1" = unit ] || return 0
  # What a sick one used up of StartLimitBurst= is not held against the one before.
  systemctl reset-failed medic.service || :
  systemctl restart medic.service || return 1
  tries=0
  until "$lib/current" healthcheck --data "$data" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || return 1
    sleep 2
  done
}

# switch_to RELEASE: uses it, and goes back to what was there when it is not well.
switch_to() {
  was=$(readlink "$lib/current" 2>/dev/null || :)
  if [ "$dry" = yes ]; then
    say "would use $1${was:+ in place of $(basename "$was")}, and go back if it is not well"
    return
  fi
  as=program
  if runs_as_unit; then as=unit; fi
  : "${work:=$(mktemp -d)}"
  : >"$work/began"
  mkdir -p -- "$prefix/bin"
  switching=yes
  point "$lib/current" "releases/$1"
  point "$bin" "$lib/current"
  if is_well "$as"; then
    switching=no
    if [ -n "$was" ] && [ "$was" != "releases/$1" ]; then point "$lib/previous" "$was"; fi
    return
  fi
  go_back
  [ -n "$was" ] || fail "$1 does not run on this machine"
  if is_well "$as"; then fail "$1 is not well: $(basename "$was") is in use again"; fi
  fail "$1 is not well, and neither is $(basename "$was") now. Look at journalctl -u medic"
}

go_back() {
  switching=no
  if [ -z "$was" ]; then
    rm -f -- "$bin" "$lib/current"
    return
  fi
  point "$lib/current" "$was"
  if [ "$as" = unit ]; then put_journal_back; fi
}

# What the new one brought to a form of its own the old one cannot read: the copy that was kept then is the journal again, and
# the newer one is kept beside it.
put_journal_back() {
  copy=$(find "$data" -maxdepth 1 -name 'journal.sqlite.form-*' ! -name '*.new' -newer "$work/began" | head -n 1)
  [ -n "$copy" ] || return 0
  systemctl stop medic.service || :
  newer=$data/newer-$(date +%Y%m%d-%H%M%S)
  mkdir -- "$newer"
  for file in journal.sqlite journal.sqlite-wal journal.sqlite-shm; do
    if [ -e "$data/$file" ]; then mv -- "$data/$file" "$newer/$file"; fi
  done
  mv -- "$copy" "$data/journal.sqlite"
  say "the journal is the one from before; what the newer Medic made of it is in $newer"
}

# Keeps what current and previous lead to.
tidy() {
  for file in "$lib/releases"/*; do
    case releases/$(basename "$file") in
      "$(readlink "$lib/current")" | "$(readlink "$lib/previous" 2>/dev/null || :)") ;;
      *) run rm -f -- "$file" ;;
    esac
  done
}

install_release() {
  if { [ -e "$bin" ] || [ -L "$bin" ]; } && ! is_own; then fail "\"$bin\" is not a link of Medic's. Move it away, or choose another --prefix"; fi
  if [ -z "$from" ] && [ -f "$here/SHA256SUMS" ]; then from=$here; fi
  : "${from:=$here/../dist}"
  from=${from%/}
  work=$(mktemp -d)
  fetch SHA256SUMS "$work/SHA256SUMS"
  name=$(choose)
  sum=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$name\$/\1/p" "$work/SHA256SUMS")
  release=$name-$(printf '%.12s' "$sum")
  if is_own && [ -x "$lib/current" ] && [ "$(readlink "$lib/current")" = "releases/$release" ]; then
    say "$name is in use already"
  else
    say "fetching $name from $from"
    fetch "$name" "$work/$name"
    [ "$(checksum "$work/$name")" = "$sum" ] || fail "the checksum of $name is not the one in SHA256SUMS. Nothing was changed"
    say "its checksum is right"
    chmod 755 "$work/$name"
    "$work/$name" version >/dev/null 2>&1 || fail "$name does not run on this machine. Nothing was changed. If \"$work\" may hold no programs, set TMPDIR"
    run mkdir -p -- "$lib/releases"
    # Beside its place first: on another file system a move is a copy, which can break off.
    run cp -- "$work/$name" "$lib/releases/.new"
    run mv -f -- "$lib/releases/.new" "$lib/releases/$release"
    switch_to "$release"
    [ "$dry" = yes ] || tidy
  fi
  if [ "$system" = yes ]; then install_system; fi
  [ "$dry" = yes ] || tell
}

install_system() {
  id medic >/dev/null 2>&1 ||
    run useradd --system --home-dir "$data" --no-create-home --shell /usr/sbin/nologin medic
  [ -d "$settings" ] || run install -d -m 755 "$settings"
  if [ ! -e "$settings/medic_ed25519" ]; then
    run ssh-keygen -q -t ed25519 -N '' -C "medic@$(uname -n)" -f "$settings/medic_ed25519"
  fi
  # Not what lies beside this script: that may be a folder like /tmp, where others put files too.
  file=$work/medic.service
  fetch medic.service "$file"
  sum=$(sed -n 's/^\([0-9a-f]\{64\}\) [ *]medic\.service$/\1/p' "$work/SHA256SUMS")
  [ "$(checksum "$file")" = "$sum" ] || fail "the checksum of medic.service is not the one in SHA256SUMS"
  sed "s|/usr/local/bin/medic|$bin|g" "$file" >"$work/unit"
  if cmp -s "$work/unit" "$unit"; then return; fi
  run install -m 644 "$work/unit" "$unit"
  run systemctl daemon-reload
}

tell() {
  say "installed: $("$bin" version)"
  if [ -n "${was:-}" ] && [ "$as" = program ]; then say "a medic that runs is still the one before: restart it"; fi
  case :$PATH: in *:$prefix/bin:*) ;; *) say "add $prefix/bin to your PATH" ;; esac
  if [ "$system" = no ]; then
    say "next: medic init, medic doctor, medic serve"
  elif [ ! -e "$settings/hosts.yaml" ]; then
    say "next: let $settings/medic_ed25519.pub in on your hosts, then"
    say "  sudo medic init --folder $settings --identity $settings/medic_ed25519 --data $data --host USER@ADDRESS"
    say "  sudo systemctl enable --now medic"
  fi
}

roll_back() {
  was=$(readlink "$lib/previous" 2>/dev/null || :)
  if [ -z "$was" ] || [ ! -f "$lib/$was" ]; then fail "there is no release before this one in $lib"; fi
  switch_to "$(basename "$was")"
  [ "$dry" = yes ] || say "in use again: $("$bin" version)"
}

uninstall() {
  if [ "$system" = yes ] && [ -e "$unit" ]; then
    run systemctl disable --now medic.service
    run rm -f -- "$unit"
    run systemctl daemon-reload
  fi
  if is_own; then run rm -f -- "$bin"; fi
  if [ -d "$lib/releases" ]; then run rm -rf -- "$lib"; fi
  # What the smaller file unpacked.
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/medic
  if [ -d "$cache" ]; then run rm -rf -- "$cache"; fi
  if [ "$system" = yes ]; then set -- "$settings" "$data"; else set -- "$HOME/.config/medic" "$HOME/.local/share/medic"; fi
  if [ "$purge" = no ]; then
    say "settings, keys and the journal stay where they are ($*); --uninstall --purge removes those"
    return
  fi
  for folder in "$@"; do run rm -rf -- "$folder"; done
  # A user medic that somebody else made is somebody else's.
  if [ "$system" = yes ] && [ "$(getent passwd medic | cut -d : -f 6)" = "$data" ]; then run userdel medic; fi
}

case $action in
  install) install_release ;;
  rollback) roll_back ;;
  uninstall) uninstall ;;
esac
