/** When to start a server again that has stopped by itself. */

export const MOST_RESTARTS = 5;
export const WINDOW_MS = 3 * 60_000;
const FIRST_DELAY_MS = 500;

/** Waits twice as long after each stop, and gives up when there were too many in a short time. */
export class Backoff {
  private stops: number[] = [];

  /** Note a stop; the milliseconds to wait before the next start, or undefined to give up. */
  next(now: number): number | undefined {
    this.stops = [...this.stops.filter((stop) => now - stop < WINDOW_MS), now];
    const restarts = this.stops.length;
    return restarts > MOST_RESTARTS ? undefined : FIRST_DELAY_MS * 2 ** (restarts - 1);
  }

  /** How many stops are remembered. */
  get count(): number {
    return this.stops.length;
  }

  /** Forget them: the user has asked for a start. */
  reset(): void {
    this.stops = [];
  }
}
