// Argument vectors for host_inspect, as data and as generators: what must never be accepted, and what its rules accept.
import fc from "fast-check";
import { type Rule, rules } from "../../plugins/host/inspect-rules.ts";

/** Each writes, ends something, leaves the host, never ends, or shows what is secret. One line a vector. */
export const dangerous: readonly (readonly [program: string, ...args: string[]])[] = `
ss -K
ss -tK
ss --kill
ss -D /tmp/x
ss -F /etc/passwd
ss -r
ss dst 192.0.2.1
df --sync
df -h --output=x /
ip link set eth0 down
ip addr add 192.0.2.1/24 dev eth0
ip addr flush dev eth0
ip route del default
ip neigh flush all
ip netns exec x sh
ip -batch /tmp/x
ip -b /tmp/x
ip monitor
ip link show up ; reboot
getent shadow
getent gshadow
getent shadow root
getent -s files shadow
getent -s dns hosts x
getent hosts evil.example
getent ahosts evil.example
getent networks evil.example
getent passwd root shadow
dmesg -C
dmesg -c
dmesg -TC
dmesg --clear
dmesg -D
dmesg -E
dmesg -n 1
dmesg -w
dmesg -F /etc/shadow
dmesg --file=/etc/shadow
journalctl -f
journalctl -kf
journalctl --follow
journalctl --vacuum-time=1s
journalctl --vacuum-size=1
journalctl --rotate
journalctl --flush
journalctl --sync
journalctl --relinquish-var
journalctl --setup-keys
journalctl --update-catalog
journalctl --file=/etc/shadow
journalctl --file /etc/shadow
journalctl --root=/mnt
journalctl --directory=/tmp
journalctl -D /tmp
journalctl -M other
journalctl --cursor-file=/tmp/x
journalctl -n 100000
journalctl --since=-1h
journalctl _UID=0
curl http://evil.example/
curl http://localhost@evil.example/
curl http://localhost.evil.example/
curl http://localhost:80@evil.example/
curl http://127.0.0.1.evil.example/
curl http://localhost/ http://evil.example/
curl http://localhost/ http://localhost/x
curl http://192.0.2.1/
curl http://127.0.0.748/
curl http://[::1%25eth0]/
curl http://0x7f000001/
curl file:///etc/shadow
curl gopher://localhost/x
curl telnet://localhost:22
curl ftp://localhost/x
curl -o /tmp/x http://localhost/
curl -O http://localhost/x
curl -O -s http://localhost/x
curl -sO http://localhost/x
curl --output /tmp/x http://localhost/
curl -d x http://localhost/
curl -d @/etc/passwd http://localhost/
curl --data=x http://localhost/
curl -F a=@/etc/passwd http://localhost/
curl -T /etc/passwd http://localhost/
curl -X POST http://localhost/
curl -XPOST http://localhost/
curl -K /tmp/x
curl --config /tmp/x http://localhost/
curl -L http://localhost/
curl --location http://localhost/
curl --unix-socket /var/run/docker.sock http://localhost/
curl -x evil:3128 http://localhost/
curl --proxy=evil:3128 http://localhost/
curl --resolve localhost:80:192.0.2.1 http://localhost/
curl --connect-to ::evil:80 http://localhost/
curl -c /tmp/x http://localhost/
curl -D /tmp/x http://localhost/
curl --trace /tmp/x http://localhost/
curl --interface eth0 http://localhost/
curl -H @/etc/passwd http://localhost/
curl -e x http://localhost/
curl http://localhost/{a,b}
curl http://localhost/[1-100]
curl http://localhost/#x
cat /etc/shadow
cat /var/log/../../etc/shadow
cat /var/log
cat /var/logs/x
cat /var/log/a /etc/shadow
cat -- /var/log/a
cat -n /var/log/a
cat -
cat /proc/kcore
cat /dev/sda
cat /var/log/$(reboot)
cat /var/log/*
cat ~/.ssh/id_ed25519
tail -f /var/log/syslog
tail -F /var/log/syslog
tail -n +1 /var/log/syslog
tail -n 100000 /var/log/syslog
tail --follow /var/log/syslog
tail --pid=1 /var/log/syslog
tail -c 99999999 /var/log/syslog
head -c -1 /var/log/syslog
ls -R /var/log
ls /root
ls --color /var/log
stat -f /etc/shadow
stat -c %n /var/log/a
du --files0-from=/etc/shadow
du -a /var/log
ps auxe
ps e
ps -eo environ;x
ps -C sh
ps --ppid 1
hostname evil
hostname -F /etc/x
hostname -b x
hostnamectl set-hostname evil
date -s 2020-01-01
date --set=2020-01-01
date -f /etc/shadow
date -r /etc/shadow
date +%s
timedatectl set-time 2020-01-01
timedatectl set-ntp false
timedatectl set-timezone UTC
systemctl restart caddy.service
systemctl stop caddy.service
systemctl daemon-reload
systemctl kill caddy.service
systemctl edit caddy.service
systemctl reboot
systemctl -H evil status caddy.service
systemctl -M x status caddy.service
systemctl status *.service
systemctl status --follow
systemctl --root=/mnt list-units
mount /dev/sda1 /mnt
mount -a
mount -o remount,rw /
umount /mnt
findmnt --poll
findmnt -F /etc/shadow
lsblk /dev/sda
lsblk --sysroot /mnt
free -s 1
free -c 9
vmstat 1
vmstat 1 100000
vmstat -d 1 100
who /etc/shadow
who am i
id -Z
uname -n x
nproc --all
uptime -V
sh -c reboot
bash
rm -rf /
kill -9 1
env
sudo cat /etc/shadow
tee /var/log/x
dd if=/dev/sda
constructor
__proto__
`
  .trim()
  .split("\n")
  .map((line) => line.split(" ") as [string, ...string[]]);

export type Vector = { program: string; arguments: string[] };

/** What a mutation puts in: most of it is refused, and what is not has to be harmless. */
const tricks = dangerous.flatMap(([, ...args]) => args);

/** Vectors made of the rules themselves, and of the rules with something put in. `files` exist below the folder. */
export function vectors(files: readonly string[]): fc.Arbitrary<Vector> {
  const made = Object.entries(rules).map(([program, rule]) =>
    argumentsOf(rule, files).map((args): Vector => ({ program, arguments: args })),
  );
  const plain = fc.oneof(...made);
  const mutated = fc
    .tuple(plain, fc.constantFrom(...tricks), fc.nat())
    .map(([{ program, arguments: args }, trick, at]) => {
      const place = at % (args.length + 1);
      return { program, arguments: args.toSpliced(place, at % 2, trick) };
    });
  return fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: mutated });
}

function argumentsOf(rule: Rule, files: readonly string[]): fc.Arbitrary<string[]> {
  const bundles =
    rule.letters === undefined
      ? []
      : [fc.subarray(Array.from(rule.letters), { minLength: 1 }).map((letters) => [`-${letters.join("")}`])];
  const words = (rule.words ?? []).map((word) => fc.constant([word]));
  const values = Object.entries(rule.values ?? {}).map(([flag, pattern]) =>
    fc.stringMatching(pattern).map((value) => (flag.startsWith("--") ? [`${flag}=${value}`] : [flag, value])),
  );
  const flags = [...bundles, ...words, ...values];
  const given =
    flags.length === 0 ? fc.constant([]) : fc.array(fc.oneof(...flags), { maxLength: 3 }).map((parts) => parts.flat());
  const operands =
    rule.file === true
      ? fc.constantFrom(...files).map((file) => [file])
      : fc.stringMatching(rule.operands ?? /^$/).map((text) => text.split(" ").filter((word) => word !== ""));
  return fc.tuple(given, operands).map((parts) => parts.flat());
}
