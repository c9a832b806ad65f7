// host_kernel_log: what the kernel said last, from the journal or, where there is none, from dmesg.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import * as v from "valibot";
import { brokenOff } from "./answers.ts";
import { lines } from "./inputs.ts";

const LINE_LENGTH_MAX = 500;

export const hostKernelLog = diagnostic({
  name: "host_kernel_log",
  description: "Newest lines of the kernel's log, oldest of them first; warnings and worse unless all are asked for.",
  input: v.strictObject({ lines: v.optional(lines, 50), all: v.optional(v.boolean(), false) }),
  command: (input) =>
    script(
      `PATH="$PATH:/usr/sbin:/sbin"
echo "--medic:journal"
journalctl -k --no-pager --no-hostname -o short-iso -r -n "$1" -p "$2"
echo "--medic:known"
journalctl -k --no-pager -o cat -n 1
echo "--medic:dmesg"
dmesg -T -l "$3" | tail -n "$1"
echo "--medic:plain"
dmesg | tail -n "$1"
echo "--medic:end"`,
      String(input.lines),
      input.all ? "debug" : "warning",
      input.all ? "emerg,alert,crit,err,warn,notice,info,debug" : "emerg,alert,crit,err,warn",
    ),
  parse(result, input) {
    const said = sections(result.stdout);
    if (said["end"] === undefined || said["journal"] === undefined) return brokenOff(result);
    const journal = linesOf(said["journal"]).toReversed();
    // A journal that has no kernel lines at all (a container, a user outside its groups) does not show that all is well.
    const isKnown = linesOf(said["known"]).length > 0;
    if (journal.length > 0 || isKnown) return { source: "journal", lines: journal };
    const dmesg = linesOf(said["dmesg"]);
    if (dmesg.length > 0) return { source: "dmesg", lines: dmesg };
    const plain = linesOf(said["plain"]);
    if (plain.length === 0) return unavailable(result);
    // BusyBox's dmesg knows no levels: then everything is shown, and said to be.
    const levelless = /invalid option|unrecognized option/.test(result.stderr);
    return input.all || levelless ? { source: "dmesg, all levels", lines: plain } : { source: "dmesg", lines: [] };
  },
});

function linesOf(text: string | undefined): string[] {
  return (text ?? "")
    .split("\n")
    .filter((line) => line !== "" && !/^-- (?:No entries|(?:Journal|Logs) begins? at|Boot |Reboot)/.test(line))
    .map((line) => line.slice(0, LINE_LENGTH_MAX));
}
