/** Says in one sentence why nothing was suggested, with the actions that help; without `vscode`. */

import { actions, type Action } from './action.ts';
import { t } from './l10n.ts';

/** An entry of `traces` in the answer to `fimLsp/explain`, as far as it is used here. */
export interface Trace {
  readonly outcome: string;
  readonly reasonCode: string;
  readonly reason: string;
  /** Estimated probability of the first line; missing if nothing was written. */
  readonly probability?: number | null;
  readonly leastProbability?: number | null;
  /** The eagerness that would have shown the suggestion. */
  readonly eagernessToShow?: number | null;
}

/** A sentence, and what the user can do about it with one click. */
export interface Reason {
  readonly sentence: string;
  readonly actions: readonly Action[];
}

/**
 * Returns the trace that says why, of those of one document, newest first.
 *
 * Where the newest was answered from memory ("the same place gave nothing before"), it is the one before that asked.
 */
export function decisive(traces: readonly Trace[]): Trace | undefined {
  const [newest] = traces;
  if (newest?.reasonCode !== 'nothingBefore') return newest;
  const isAsked = ({ outcome, reasonCode }: Trace): boolean => outcome === 'nothing' && reasonCode !== 'nothingBefore';
  return traces.find(isAsked) ?? newest;
}

/** Returns why a request gave nothing. */
export function explainSilence(trace: Trace, language: string): Reason {
  const anyway = actions.suggestAnyway();
  switch (trace.reasonCode) {
    case 'lowConfidence': {
      const enough = trace.eagernessToShow;
      const more = typeof enough === 'number' ? [actions.setEagerness(enough)] : [];
      return { sentence: describeConfidence(trace), actions: [anyway, ...more] };
    }
    case 'tooShort':
      return { sentence: t('The suggestion is too short to be worth a look.'), actions: [anyway] };
    case 'filtered':
      return { sentence: t('What the model wrote was of no use here.'), actions: [anyway, actions.explain()] };
    case 'nothingBefore':
      return { sentence: t('The model had nothing to say at this place.'), actions: [anyway] };
    case 'insideWord':
      return { sentence: t('The cursor is inside a word; suggestions come at its end.'), actions: [anyway] };
    case 'notLearned':
      return {
        sentence: t('The model is rarely right in {0}.', language),
        actions: [actions.selectModel(), anyway, actions.turnOnFor(language)],
      };
    case 'disabled':
      return { sentence: t('Suggestions are turned off.'), actions: [actions.turnOn()] };
    case 'languageDisabled':
      return { sentence: t('Suggestions are turned off for {0}.', language), actions: [actions.turnOnFor(language)] };
    case 'excluded':
      return { sentence: t('The model does not read this file: {0}', trace.reason),
        actions: [actions.openSetting('exclude')] };
    case 'loading':
      return { sentence: t('The model is being loaded.'), actions: [actions.showOutput()] };
    case 'engineError':
    case 'internalError':
      return {
        sentence: t('Something is wrong: {0}', trace.reason),
        actions: [actions.restart(), actions.showOutput()],
      };
    default:
      return explainOutcome(trace);
  }
}

function describeConfidence({ probability, leastProbability }: Trace): string {
  if (typeof probability !== 'number' || typeof leastProbability !== 'number') {
    return t('The model is not sure enough.');
  }
  return t('The model is not sure enough: {0} %, and {1} % are needed.', percent(probability),
    percent(leastProbability));
}

function percent(share: number): string {
  return (100 * share).toFixed(0);
}

function explainOutcome({ outcome, reason }: Trace): Reason {
  switch (outcome) {
    case 'superseded':
    case 'cancelled':
      return { sentence: t('You typed on before the answer was there.'), actions: [actions.suggestAnyway()] };
    case 'nothing':
      return {
        sentence: reason === '' ? t('The model had nothing to say at this place.') : reason,
        actions: [actions.suggestAnyway(), actions.explain()],
      };
    default:
      return { sentence: t('Nothing is known of this place.'), actions: [actions.suggestAnyway()] };
  }
}
