// docs/drills.md: what the last whole run of the drills showed. Knows judgements and Markdown, nothing else.
import type { Judgement } from "./check.ts";

const wordsMax = 400;

/** The page's whole text. */
export function scorecard(judgements: readonly Judgement[]): string {
  const passed = judgements.filter(({ result }) => result.passed).length;
  const rows = judgements.map(({ result, tells, said, faults }) => {
    const { drill, outcome, fixes, seconds, connections } = result;
    const verdict = result.passed ? "passed" : `**failed**: ${faults.join("; ")}`;
    const words = [verdict, outcome, fixes.join(", ") || "–", seconds.toFixed(1), String(connections)];
    return `| \`${drill}\` | ${[tells, ...words].map(cell).join(" | ")} | ${cell(said)} |`;
  });
  return `# Drills

What Medic makes, by runbooks alone and without a model, of failures that are broken for real on the lab's hosts.
Written by \`npm run drill -- all --save\`; ${passed} of ${judgements.length} passed. A drill passes by the word of a checker that
reads the raw logs of Medic, docker, systemd, sudo and sshd, and knows nothing of the program that ran it.

| drill | what is broken | verdict | ended | fixes | seconds | connections | what Medic said last |
| ----- | -------------- | ------- | ----- | ----- | ------- | ----------- | -------------------- |
${rows.join("\n")}
`;
}

function cell(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").replaceAll(/[|\\`<>*_]/g, String.raw`\$&`);
  return line.length <= wordsMax ? line : `${line.slice(0, wordsMax)}…`;
}
