// The form in which doctor tells what it looked at.

/** One thing that was looked at. `mend` is a command or a setting that puts it right. */
export type Check = {
  host: string;
  check: string;
  ok: true | false | "unknown";
  says: string;
  mend?: string;
};
