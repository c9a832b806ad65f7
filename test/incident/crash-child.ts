// A process for crash tests: opens the data folder, takes alerts in as fast as it can, and says what it was told is
// durable. It is killed in the middle.
import { openJournal } from "../../core/incident/journal.ts";
import { alert, world } from "./world.ts";

const [folder = ""] = process.argv.slice(2);
const journal = openJournal(folder, { now: Date.now });
const { intake } = world({ journal });
process.stdout.write("open\n");
for (let count = 0; ; count++) {
  const { incidents } = await intake.accept([alert({ service: `s${count}` }), alert({ service: `t${count}` })]);
  process.stdout.write(`${incidents.map(({ id }) => id).join(" ")}\n`);
}
