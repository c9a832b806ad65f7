// Bar charts as plain SVG, readable on light and dark pages: the file asks the reader's own scheme. No library; one
// function from values to text.

export type Bar = { label: string; value: number; isOurs: boolean };
export type Chart = { title: string; unit: string; bars: readonly Bar[] };

const width = 720;
const barHeight = 22;
const gap = 6;
const labelWidth = 130;
const valueWidth = 110;
const top = 40;

const style = `text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; }
.bar { fill: #8c959f; }
.ours { fill: #1a7f37; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .bar { fill: #6e7681; }
  .ours { fill: #3fb950; }
}`;

/** A bar that cannot be drawn to scale keeps its number: the longest sets the scale. */
export function barChart({ title, unit, bars }: Chart): string {
  const height = top + bars.length * (barHeight + gap) + gap;
  const longest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const room = width - labelWidth - valueWidth;
  const drawn = bars.map(({ label, value, isOurs }, index) => {
    const y = top + index * (barHeight + gap);
    const middle = y + barHeight / 2 + 5;
    const length = Math.max(1, Math.round((value / longest) * room));
    return [
      `<text x="${labelWidth - 8}" y="${middle}" text-anchor="end">${escape(label)}</text>`,
      `<rect class="${isOurs ? "bar ours" : "bar"}" x="${labelWidth}" y="${y}" width="${length}" height="${barHeight}" rx="3"/>`,
      `<text x="${labelWidth + length + 8}" y="${middle}">${escape(`${value} ${unit}`)}</text>`,
    ].join("\n");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">
<style>
${style}
</style>
<text class="title" x="8" y="22">${escape(title)}</text>
${drawn.join("\n")}
</svg>
`;
}

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
