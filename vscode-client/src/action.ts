/** Declares the actions that stand beside a message: what their buttons say, and the commands that they run. */

import { t } from './l10n.ts';

/** A button, and the command that it runs. */
export interface Action {
  readonly title: string;
  readonly command: string;
  readonly arguments?: readonly unknown[];
}

/** Actions that stand in several places; each call returns one in the user's language. */
export const actions = {
  explain: (): Action => ({ title: t('Explain'), command: 'fimLsp.explain' }),
  restart: (): Action => ({ title: t('Restart Server'), command: 'fimLsp.restart' }),
  install: (): Action => ({ title: t('Install Server'), command: 'fimLsp.install' }),
  showOutput: (): Action => ({ title: t('Show Output'), command: 'fimLsp.showOutput' }),
  selectModel: (): Action => ({ title: t('Select Model'), command: 'fimLsp.selectModel' }),
  suggestAnyway: (): Action => ({ title: t('Suggest Anyway'), command: 'fimLsp.trigger' }),
  turnOn: (): Action => ({ title: t('Turn On'), command: 'fimLsp.toggle' }),
  turnOnFor: (language: string): Action => ({
    title: t('Turn On for {0}', language), command: 'fimLsp.toggleLanguage',
  }),
  endSnooze: (): Action => ({ title: t('End Snooze'), command: 'fimLsp.endSnooze' }),
  setEagerness: (eagerness: number): Action => ({
    title: t('Show More Like This (Eagerness {0})', eagerness), command: 'fimLsp.setEagerness', arguments: [eagerness],
  }),
  openSettings: (): Action => ({
    title: t('Open Settings'), command: 'workbench.action.openSettings', arguments: ['@ext:fim-lsp.fim-lsp'],
  }),
  openSetting: (key: string): Action => ({
    title: t('Open Setting'), command: 'workbench.action.openSettings', arguments: [`@id:fimLsp.${key}`],
  }),
};
