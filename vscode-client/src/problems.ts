/** Lists what keeps suggestions from coming, with the actions that mend it; without `vscode`. */

import { actions, type Action } from './action.ts';
import { t } from './l10n.ts';
import { findOffReason, findProblem, type ActiveDocument, type OffReason, type StatusFacts } from './status.ts';

/** A problem in one sentence, and what mends it. */
export interface Problem {
  readonly sentence: string;
  readonly actions: readonly Action[];
  /** Whether nothing is suggested while it lasts. */
  readonly isBlocking: boolean;
}

/** Returns the problems at a time in milliseconds since 1970, the worst first. */
export function findProblems(facts: StatusFacts, now: number): Problem[] {
  const { process } = facts;
  if (process.kind === 'failed') {
    const remedies = process.isSetUpMissing === true
      ? [actions.install()]
      : [actions.restart(), actions.showOutput()];
    return [blocking(process.message, ...remedies, actions.openSetting('interpreter'))];
  }
  const sentence = findProblem(process);
  if (sentence !== undefined) {
    return [blocking(sentence, actions.selectModel(), actions.restart(), actions.showOutput())];
  }
  const found: Problem[] = [];
  const off = findOffReason(facts, now);
  if (off !== undefined && off.kind !== 'scheme') {
    found.push(describeOff(off, facts.document));
  }
  const warning = process.kind === 'running' ? process.status?.warning : undefined;
  if (warning !== undefined) {
    found.push({ sentence: warning, actions: [actions.selectModel()], isBlocking: false });
  }
  if (facts.document?.state === 'onRequest') {
    const { languageId } = facts.document;
    found.push(blocking(
      t('The model is rarely right in {0}.', languageId),
      actions.selectModel(), actions.suggestAnyway(), actions.turnOnFor(languageId),
    ));
  }
  return found;
}

function blocking(sentence: string, ...remedies: Action[]): Problem {
  return { sentence, actions: remedies, isBlocking: true };
}

function describeOff(off: OffReason, document: ActiveDocument | undefined): Problem {
  const { languageId = '', message = '' } = document ?? {};
  switch (off.kind) {
    case 'disabled':
      return blocking(t('Suggestions are turned off.'), actions.turnOn());
    case 'language':
      return blocking(t('Suggestions are turned off for {0}.', languageId), actions.turnOnFor(languageId));
    case 'excluded':
      return blocking(t('The model does not read this file: {0}', message), actions.openSetting('exclude'));
    default:
      return blocking(off.long, ...(off.kind === 'snoozed' ? [actions.endSnooze()] : []));
  }
}
