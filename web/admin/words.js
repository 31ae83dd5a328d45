/** Numbers and times for people. */

export const NOTHING = "–";

export function number(value, digits = 0) {
  if (value === null || value === undefined) return NOTHING;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Bits a second, with a unit that fits. */
export function bitRate(bits) {
  if (bits === null) return NOTHING;
  for (const [unit, size] of [["Gbit/s", 1e9], ["Mbit/s", 1e6], ["kbit/s", 1e3]]) {
    if (bits >= size) return `${number(bits / size, bits < 10 * size ? 1 : 0)} ${unit}`;
  }
  return `${number(bits)} bit/s`;
}

export function percent(share, digits = 1) {
  return share === null || share === undefined ? NOTHING : `${number(share * 100, digits)} %`;
}

/** The two largest units of a duration in seconds. */
export function duration(seconds) {
  const units = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first === -1) return "0 s";
  const [[unit, size], below] = [units[first], units[first + 1]];
  const whole = `${Math.floor(seconds / size)} ${unit}`;
  const rest = below && Math.floor((seconds % size) / below[1]);
  return rest ? `${whole} ${rest} ${below[0]}` : whole;
}
