/** Declares failures that are shown to the user, with the actions that their messages offer. */

/** An action that a message about a failure offers. */
export type Remedy = 'install' | 'output' | 'restart' | 'settings' | 'serve';

/** A failure in a sentence for the user. */
export class Failure extends Error {
  readonly remedies: readonly Remedy[];
  /** True where nothing is broken: the server was not installed yet. */
  readonly isSetUpMissing: boolean;

  constructor(message: string, remedies: readonly Remedy[], isSetUpMissing = false) {
    super(message);
    this.remedies = remedies;
    this.isSetUpMissing = isSetUpMissing;
  }
}
