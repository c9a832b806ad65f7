// A message as ntfy takes it: JSON to the server's root, with buttons that answer a question. `sequence_id` (ntfy 2.16)
// makes a repeat replace its first copy on the phone instead of standing beside it; older servers leave it aside. Pure.
import type { Change } from "./change.ts";
import type { AskedFor, Message } from "./message.ts";
import type { Outgoing } from "./outgoing.ts";

export type NtfySettings = { url: string; topic: string; token?: string };

// 1 (min) to 5 (max). What waits for a person is loud; what is over is not.
const priorities: Readonly<Record<Change | "test", number>> = {
  approval: 4,
  escalated: 4,
  opened: 3,
  approved: 3,
  fixing: 3,
  test: 3,
  fixed: 2,
  resolved: 2,
  dismissed: 2,
};
// Names of emoji, as ntfy shows them before the title.
const tags: Readonly<Record<Change | "test", string>> = {
  approval: "raised_hand",
  escalated: "warning",
  opened: "eyes",
  approved: "+1",
  fixing: "wrench",
  fixed: "white_check_mark",
  resolved: "white_check_mark",
  dismissed: "wastebasket",
  test: "wave",
};

export function ntfyRequest({ url, topic, token }: NtfySettings, message: Message): Outgoing {
  const { id, title, text, change, question } = message;
  const link = question?.link;
  return {
    url,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: JSON.stringify({
      topic,
      title,
      message: text,
      priority: priorities[change],
      tags: [tags[change]],
      sequence_id: id,
      ...(link === undefined ? {} : { click: link, actions: actions(question as AskedFor, link) }),
    }),
  };
}

function actions({ isWhole }: AskedFor, link: string): object[] {
  const look = { action: "view", label: "Look", url: link };
  const answer = (label: string, decision: string): object => ({
    action: "http",
    label,
    url: link,
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: `decision=${decision}`,
    clear: true,
  });
  // Nobody agrees to commands that are not shown.
  return isWhole ? [look, answer("Run it", "approve"), answer("No", "deny")] : [look, answer("No", "deny")];
}
