/** Decides when a server that stopped by itself is started again. */

export const MAX_RESTARTS = 5;
export const WINDOW_MS = 3 * 60_000;
const FIRST_DELAY_MS = 500;

/** Doubles the wait after each stop, and gives up after too many stops in a short time. */
export class Backoff {
  private stops: number[] = [];

  /** Counts a stop at `now` and returns the milliseconds to wait before the next start, or undefined to give up. */
  next(now: number): number | undefined {
    this.stops = [...this.stops.filter((stop) => now - stop < WINDOW_MS), now];
    const restarts = this.stops.length;
    return restarts > MAX_RESTARTS ? undefined : FIRST_DELAY_MS * 2 ** (restarts - 1);
  }

  /** Number of stops within the window. */
  get count(): number {
    return this.stops.length;
  }

  /** Forgets all stops, because the user has asked for a start. */
  reset(): void {
    this.stops = [];
  }
}
