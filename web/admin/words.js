/** Numbers and times for people. */

export const NOTHING = "–";

export function number(value, digits = 0) {
  return isKnown(value) ? format(digits).format(value) : NOTHING;
}

/** Bits a second, with a unit that fits. */
export function bitRate(bits) {
  if (!isKnown(bits)) return NOTHING;
  const [size, prefix] = prefixOf(bits);
  return `${number(bits / size, size > 1 && bits < 100 * size ? 1 : 0)} ${prefix}bit/s`;
}

/** A number of bytes, with a unit that fits. */
export function size(bytes) {
  if (!isKnown(bytes)) return NOTHING;
  const [unit, prefix] = prefixOf(bytes);
  return `${number(bytes / unit, unit > 1 && bytes < 100 * unit ? 1 : 0)} ${prefix}B`;
}

/** A number for an axis: as few characters as can be. */
export function short(value) {
  const [size, prefix] = prefixOf(value);
  return `${Number((value / size).toPrecision(4))}${prefix && ` ${prefix}`}`;
}

/** Times a second. */
export function perSecond(value, digits = 0) {
  return isKnown(value) ? `${number(value, digits)} /s` : NOTHING;
}

export function percent(share, digits = 1) {
  return isKnown(share) ? `${number(share * 100, digits)} %` : NOTHING;
}

/** The two largest units of a duration in seconds. */
export function duration(seconds) {
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  if (first === -1) return "0 s";
  const [[unit, size], below] = [UNITS[first], UNITS[first + 1]];
  const whole = `${Math.floor(seconds / size)} ${unit}`;
  const rest = below && Math.floor((seconds % size) / below[1]);
  return rest ? `${whole} ${rest} ${below[0]}` : whole;
}

/** The time of day at a Unix second. */
export function clock(time, hasSeconds = true) {
  return (hasSeconds ? CLOCK : CLOCK_WITHOUT_SECONDS).format(time * 1000);
}

/** Writes a text where it has changed, so that what is selected stays so. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A text of somebody else's, with what would be unseen or turn others around written out. */
export function visible(text) {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (unseen) => `\\u{${unseen.codePointAt(0).toString(16)}}`);
}

function isKnown(value) {
  return typeof value === "number" && Number.isFinite(value);
}

function prefixOf(value) {
  return PREFIXES.find(([size]) => value >= size) ?? [1, ""];
}

/** Formats are slow to make, and hundreds of numbers change each second. */
function format(digits) {
  FORMATS[digits] ??= new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return FORMATS[digits];
}

const FORMATS = [];
const TO_THE_MINUTE = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const CLOCK_WITHOUT_SECONDS = new Intl.DateTimeFormat("en", TO_THE_MINUTE);
const CLOCK = new Intl.DateTimeFormat("en", { ...TO_THE_MINUTE, second: "2-digit" });
const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
