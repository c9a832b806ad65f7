// The sandbox's shell against the machine's own /bin/sh: each snippet has to print and exit the same in both. The
// snippets touch nothing: no files, no programs beyond text filters.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { describe, it } from "node:test";

import { realClock } from "../../core/sandbox/clock.ts";
import { Files } from "../../core/sandbox/files.ts";
import { createMachine } from "../../core/sandbox/machine.ts";
import { processPrograms } from "../../core/sandbox/programs/process.ts";
import { textPrograms } from "../../core/sandbox/programs/text.ts";

const SNIPPETS: readonly string[] = [
  `echo hello world`,
  `echo "a  b"   c'd e'f\\ g`,
  `echo 'single $x \`y\`' "double \\$x \\"q\\" \\\\ \\n"`,
  `echo 'tab\\there' "new\\nline"`,
  `echo -n no newline`,
  `printf '%s|%5s|%-5s|\\n' a b c`,
  `printf '%d %03d %x %o %%\\n' 7 7 255 8`,
  `printf '%s\\n' one two three`,
  `printf 'no args: [%s] [%d]\\n'`,
  `printf '%b' 'a\\tb\\n'`,
  `printf '%.2s|%c\\n' abcdef xyz`,
  `printf '%d\\n' abc; echo $?`,
  `x=5; echo "$x" '$x' "\${x}y" "$xy."`,
  `x="a b  c"; echo $x; echo "$x"; set -- $x; echo $#`,
  `echo \${unset:-default} \${unset-d2} "\${unset:-a  b}" \${unset:-"c  d"}`,
  `x=; echo "[\${x:-empty}] [\${x-unset}] [\${x:+set}] [\${x+set}]"`,
  `x=v; echo "[\${x:-empty}] [\${x:+set}] [\${y:=assigned}] $y"`,
  `x=/usr/local/bin/thing.tar.gz; echo \${x#*/} \${x##*/} \${x%.*} \${x%%.*} \${#x}`,
  `x='a*b*c'; echo "\${x#*"*"}" "\${x%'*'*}"`,
  `p='*'; x='*star'; echo "\${x#"$p"}" "\${x#$p}"`,
  `set -- one "two three" four; for a in "$@"; do echo "<$a>"; done; for a in $*; do echo "[$a]"; done; echo "$*" $#`,
  `set -- a b c; echo "x$@y"; IFS=-; echo "$*"; echo $*`,
  `set --; echo "n=$#" "$@" end; for a in "$@"; do echo never; done`,
  `set -- a b c d; shift 2; echo $1 $# ; shift; echo "$@"`,
  `echo $((1 + 2 * 3)) $(( (1+2)*3 )) $((7/2)) $((-7/2)) $((-7%3)) $((1<2)) $((3>=4)) $((5==5&&1)) $((0||0))`,
  `x=4; echo $((x*x)) $(($x+1)) $((x>3?10:20)) $((!x)) $((~x)); echo $((x+=3)) $x`,
  `echo $((0x1f)) $((010)) $((1<<4)) $((6&3)) $((6|3)) $((6^3))`,
  `echo "$(echo a; echo b)" $(echo c; echo d) \`echo e\``,
  `x=$(printf 'l1\\nl2\\n\\n'); echo "$x"; echo $x`,
  `echo "nested $(echo "in $(echo "deep")") done"`,
  `false; echo $?; true; echo $?; (exit 7); echo $?`,
  `true && echo yes || echo no; false && echo yes || echo no; ! true; echo $?; ! false; echo $?`,
  `if [ 1 -lt 2 ]; then echo lt; elif true; then echo elif; else echo ge; fi`,
  `if false; then echo a; elif [ x = x ]; then echo b; else echo c; fi`,
  `if false; then echo a; fi; echo $?`,
  `i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done; until [ $i -eq 0 ]; do i=$((i-1)); done; echo $i`,
  `for i in 1 2 3 4 5; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done`,
  `for i in 1 2; do for j in a b c; do [ $j = b ] && continue 2; echo $i$j; done; done`,
  `case abc in a*) echo starts;; *) echo other;; esac; case x in a|x) echo alt; esac; case "a b" in "a b") echo quoted;; esac`,
  `case "$(echo '*')" in '*') echo star;; *) echo any;; esac; case 5 in [0-9]) echo digit;; esac; case a in [!a-c]) echo no;; [a-c]) echo set;; esac`,
  `f() { echo "f: $1 $# $0x"; return 3; }; f a b; echo $?`,
  `f() { local x=inner; echo $x; }; x=outer; f; echo $x | head -1 > /dev/null`,
  `g() { echo "$@"; }; g "a b" c; x=1 g d`,
  `{ echo a; echo b; } | tail -n 1; (cd /; pwd); x=1; (x=2); echo $x`,
  `printf 'b\\na\\nc\\n' | sort | head -n 2`,
  `printf 'b\\na\\nb\\n' | sort | uniq -c | sort -rn`,
  `printf 'one two\\nthree four\\n' | while read -r a b; do echo "$b-$a"; done`,
  `printf 'a:b:c\\nd:e\\n' | while IFS=: read -r x y; do echo "$x|$y"; done`,
  `printf '  lead trail  \\n' | { IFS= read -r l; echo "[$l]"; }; printf '  lead trail  \\n' | { read -r l; echo "[$l]"; }`,
  `printf 'back\\\\slash\\n' | { read -r l; echo "$l" | wc -c; }`,
  `printf 'no newline' | { read -r l; echo "$? $l"; }`,
  `printf 'a\\nb\\n' | { read -r x; cat; echo "$x"; }`,
  `echo out; echo err >&2; { echo o; echo e >&2; } 2>&1 | sort`,
  `echo quiet >/dev/null; { echo e >&2; } 2>/dev/null; echo $?`,
  `cat <<EOF
x is $((1+1)) and $(echo sub) \\$literal
EOF
cat <<'EOF'
raw $x \\n
EOF`,
  `cat <<-EOF
	stripped
	EOF`,
  `cat </dev/null; echo $?`,
  `nonexistent_program_xyz 2>/dev/null; echo $?`,
  `command -v nonexistent_program_xyz; echo $?; command -v echo; command -v cd`,
  `[ -n "" ]; echo $?; [ -z "" ]; echo $?; [ a = b ]; echo $?; [ a != b ]; echo $?; [ ]; echo $?; [ ! x ]; echo $?`,
  `[ 1 -eq 1 -a 2 -gt 1 ]; echo $?; [ 1 -eq 2 -o 2 -gt 1 ]; echo $?; [ "(" = "(" ]; echo $?; [ ! 1 -eq 2 ]; echo $?`,
  `test x -eq 1 2>/dev/null; echo $?`,
  `set -e; false || echo survived; if false; then :; fi; echo still; false; echo never`,
  `set -u; echo \${x:-fine}; echo $x 2>/dev/null; echo never`,
  `eval 'x=1; echo "eval $x"'; eval echo '$x'`,
  `exec echo replaced; echo never`,
  `sh -c 'echo "$0 $1 $#"; exit 4' name "arg one" two; echo $?`,
  `sh -c 'root() { "$@"; }; root echo as root; x=$(root printf %s val); echo "$x"' medic`,
  `trap 'echo bye' EXIT; echo hi; exit 3`,
  `: \${x:=5}; echo $x; readonly y=2; echo $y; unset x; echo "[\${x-gone}]"`,
  `x=a; y="$x"'b'"$(echo c)"$((1))\\d; echo $y`,
  `echo "a\\
b" c\\
d`,
  `echo one # comment
# whole line
echo two#three`,
  `echo {a,b} ~nobodyxyz "~"; x='*nomatch*'; echo $x "$x"`,
  `IFS=,; x=a,b,,c; set -- $x; echo $#; for i in "$@"; do echo "<$i>"; done`,
  `IFS=' ,'; x=' a , b,c ,, d '; set -- $x; echo $#; for i in "$@"; do printf '<%s>' "$i"; done`,
  `echo a | tr a-z A-Z; echo 'a  b   c' | tr -s ' ' | cut -d' ' -f2-; echo abc | tr -d b; echo 'x.y' | tr . '\\n'`,
  `printf 'k=v\\nz=q=r\\n' | cut -d= -f2; printf 'k=v\\nz=q=r\\n' | cut -d= -f2-; printf 'abc\\n' | cut -c2-`,
  `printf 'foo\\nbar\\nfoobar\\n' | grep -c foo; printf 'foo\\nbar\\n' | grep -v foo; printf 'a1\\nb\\n' | grep -oE '[0-9]+'`,
  `printf 'a.b\\naxb\\n' | grep -F a.b; printf 'Foo\\n' | grep -i '^f[o]*$'; printf 'x\\n' | grep -q y; echo $?`,
  `printf 'aa\\nb\\n' | grep 'a\\{2\\}'; printf 'p|q\\npq\\n' | grep 'p|q'; printf 'p\\nq\\n' | grep -E 'p|z'`,
  `printf '1\\n2\\n3\\n4\\n' | tail -n +3; printf '1\\n2\\n3\\n' | head -n -1; printf '123456' | head -c 3; printf '123456' | tail -c 2`,
  `printf 'a b\\nc\\n' | wc -l; printf 'a b\\n' | wc -w; printf 'abc' | wc -c`,
  `printf '10 b\\n9 a\\n' | sort -n; printf 'x 2\\ny 1\\n' | sort -k2; printf 'a\\na\\n' | sort -u`,
  `seq 3; seq 2 4; printf 'a b c' | xargs -n1 echo; printf 'a\\nb\\n' | xargs`,
  `timeout 5 echo in time; timeout -s KILL 0.05 sleep 5; echo $?; timeout 0.05 sleep 5; echo $?; timeout 5 false; echo $?`,
  `x=$(exit 5); echo $?; y=plain; echo $?`,
  `while :; do echo once; break; done; while false; do :; done; echo $?`,
  `echo a; exit; echo b`,
  `if echo cond | grep -q cond && [ 1 = 1 ]; then echo both; fi`,
  `a=1 b=2; echo $a$b; a=3 sh -c 'echo $a'; echo $a; export a; sh -c 'echo $a'`,
  `exec 2>&1; echo to-err >&2`,
  `exec 3>&1; echo three >&3; exec 3>&-; echo done`,
  `(echo bg; exit 2) & wait; echo waited`,
  `echo "$(case x in x) echo paren;; esac)"`,
  `x='$(echo no)'; echo "$x" $x; y='; echo no'; echo $y`,
  `set -- 'a;b' '$(c)' '\`d\`'; printf '<%s>' "$@"`,
];

describe("the sandbox's shell", () => {
  const isDash = realpathSync("/bin/sh").endsWith("dash");

  for (const snippet of SNIPPETS) {
    it(
      `prints and exits like /bin/sh for ${JSON.stringify(snippet)}`,
      { skip: isDash ? false : "no dash here" },
      async () => {
        const real = spawnSync("/bin/sh", ["-c", snippet], {
          argv0: "sh",
          encoding: "utf8",
          input: "",
          env: { PATH: "/usr/bin:/bin", HOME: "/" },
        });
        const ours = await run(snippet);
        assert.equal(ours.stdout, real.stdout);
        assert.equal(ours.exit, real.status);
      },
    );
  }

  it("says what cannot be parsed in dash's words", async () => {
    assert.deepEqual(await run("if true; do"), {
      exit: 2,
      stdout: "",
      stderr: 'sh: 1: Syntax error: "do" unexpected (expecting "then")\n',
    });
    assert.match((await run("echo 'open")).stderr, /Unterminated quoted string/);
  });

  it("says that a program is not there, with the line", async () => {
    assert.equal((await run("echo a\nnope")).stderr, "sh: 2: nope: not found\n");
  });

  it("ends an endless loop when it is killed, and lets it run when it is not", async () => {
    const kill = new AbortController();
    const running = run("while :; do :; done", kill.signal);
    kill.abort(new Error("killed"));
    await assert.rejects(running, /killed/);
    assert.equal((await run("while :; do break; done")).exit, 0);
  });

  it("reads, lists and globs simulated files only", async () => {
    const files = new Files(() => 0);
    files.add("/srv/a.txt", "A\n");
    files.add("/srv/b.txt", "B\n");
    files.addLink("/srv/link", "a.txt");
    const listed = await run("cd /srv; echo *.txt; cat /srv/*.txt link; [ -L link ] && echo link", undefined, files);
    assert.equal(listed.stdout, "a.txt b.txt\nA\nB\nA\nlink\n");
    assert.equal((await run("echo new > /srv/c; cat /srv/c; cat /etc/hostname", undefined, files)).stdout, "new\n");
    assert.equal(
      (await run("set -C; echo x > /srv/a.txt; echo $?; cat /srv/a.txt", undefined, files)).stdout,
      "2\nA\n",
    );
  });
});

async function run(snippet: string, signal = new AbortController().signal, files = new Files(() => 0)) {
  files.addDirectory("/home/medic");
  files.addDirectory("/tmp");
  files.addDevice("/dev/null");
  const machine = createMachine({ ...realClock, files, programs: { ...textPrograms, ...processPrograms } });
  const out: string[] = [];
  const err: string[] = [];
  const stdout = { write: (text: string) => void out.push(text) };
  const stderr = { write: (text: string) => void err.push(text) };
  const exit = await machine.execute(snippet, { user: "medic", stdout, stderr, signal });
  return { exit, stdout: out.join(""), stderr: err.join("") };
}
