// What the log says of an incident's events, one line each: the journal has it all, the log has what an owner follows live.
import type { Log } from "../log.ts";
import type { JournalEvent } from "./incident.ts";

/** `durationSeconds`: of its incident, once known. */
export function logEvent(log: Log, event: JournalEvent, durationSeconds: number | undefined): void {
  const { incident } = event;
  switch (event.kind) {
    case "incident-opened":
      return log.info("incident_opened", { incident, key: event.key, alert: event.alert.name });
    case "reopened":
      return log.info("incident_reopened", { incident, why: event.why });
    case "alert-folded":
      return log.debug("alert_folded", { incident, alert: event.alert.name });
    case "alert-resolved":
      return log.info("alert_resolved", { incident, alert: event.alert.name });
    case "held":
      return log.info("incident_held", { incident, why: event.why });
    case "approval-requested":
      return log.info("approval_requested", { incident, approval: event.approval, tool: event.tool });
    case "resolved": {
      const seconds = durationSeconds === undefined ? {} : { duration_seconds: durationSeconds };
      return log.info("incident_resolved", { incident, by: event.by, why: event.why, ...seconds });
    }
    case "escalated":
    case "dismissed":
      return log.warning(`incident_${event.kind}`, { incident, reason: event.reason });
  }
}
