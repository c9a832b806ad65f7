// SIGHUP, heard from a verb's first moment on: without a listener it would end the process, and who runs `systemctl reload`
// cannot know that a start takes a while. What comes before anybody can act on it is kept, once.
import type { Context } from "./context.ts";

export type Hangups = {
  /** Acts on each from now on, and on what came before. */
  take(act: () => void): void;
  /** From then on the next one ends the process. */
  [Symbol.dispose](): void;
};

export function hearHangups({ onHangup }: Pick<Context, "onHangup">): Hangups {
  let acting: (() => void) | undefined;
  let isKept = false;
  const stop = onHangup?.(() => {
    if (acting === undefined) isKept = true;
    else acting();
  });
  return {
    take(act) {
      acting = act;
      if (isKept) act();
      isKept = false;
    },
    [Symbol.dispose]: () => stop?.(),
  };
}
