/** Sums up what was accepted on the last days, as the server counted it; without `vscode`. */

/** Counts of one day. */
export interface Day {
  /** As in ISO 8601: `2026-11-29`. */
  readonly day: string;
  readonly accepted: number;
  readonly keys: number;
}

/** Answer to `fimLsp/stats`. */
export interface Usage {
  /** Days on which something was accepted, the oldest first. */
  readonly days: readonly Day[];
  /** False if the user does not want to be counted. */
  readonly isCounting: boolean;
}

const NUM_DAYS = 7;

/** Returns the week that ends today: seven days, the oldest first, with zeros where nothing was accepted. */
export function lastWeek(usage: Usage, today: Date): Day[] {
  const known = new Map(usage.days.map((day) => [day.day, day]));
  return Array.from({ length: NUM_DAYS }, (_, index) => {
    const date = new Date(today.getFullYear(), today.getMonth(), today.getDate() - (NUM_DAYS - 1 - index));
    const day = isoDate(date);
    return known.get(day) ?? { day, accepted: 0, keys: 0 };
  });
}

/** Returns a local date as in ISO 8601. */
function isoDate(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Returns the sum over days. */
export function total(days: readonly Day[]): { accepted: number; keys: number } {
  return days.reduce(
    (sum, { accepted, keys }) => ({ accepted: sum.accepted + accepted, keys: sum.keys + keys }),
    { accepted: 0, keys: 0 },
  );
}
