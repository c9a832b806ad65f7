// What the sources share: the bounds of an alert, and the one error with which a body is refused as a whole.

/** A body that is no alert of this monitor; the message names the place and says what was expected there. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}

/** The most that one alert may hold. More is no label any monitor sends, and is refused rather than cut: labels decide. */
export const ALERTS_MAX = 5000;
export const LABELS_MAX = 128;
export const LABEL_CHARACTERS_MAX = 2048;
/** Annotations decide nothing: they are cut. */
export const ANNOTATION_CHARACTERS_MAX = 4096;
