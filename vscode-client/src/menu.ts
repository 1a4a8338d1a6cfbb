/** Shows the menu of the status bar's item: what is on, what is wrong, and what can be done. */

import * as vscode from 'vscode';
import { actions, type Action } from './action.ts';
import { isEnabled, readLanguages } from './configuration.ts';
import { t } from './l10n.ts';
import { isLanguageEnabled } from './settings.ts';
import { SCHEMES } from './status.ts';
import type { StatusBar } from './status_bar.ts';

interface MenuItem extends vscode.QuickPickItem {
  /** Undefined for the line above a group. */
  readonly action?: Omit<Action, 'title'>;
}

/** Lets the user choose a command, under the model's name and languages; what mends a problem stands first. */
export async function showMenu(status: StatusBar): Promise<void> {
  const [model, languages] = status.model;
  const [problem] = status.problems;
  const choice = await vscode.window.showQuickPick(entries(status), {
    title: model === undefined ? 'FIM LSP' : `FIM LSP: ${model}`,
    placeHolder: problem?.sentence ?? status.adding ?? languages ?? t('Choose a command'),
    matchOnDescription: true,
  });
  if (choice?.action === undefined) return;
  await vscode.commands.executeCommand(choice.action.command, ...choice.action.arguments ?? []);
}

function entries(status: StatusBar): MenuItem[] {
  const { problems } = status;
  const remedies = problems.flatMap((problem) => problem.actions);
  const isNew = ({ action }: MenuItem): boolean => remedies.every(({ command }) => command !== action?.command);
  if (status.isSetUpMissing) return [...group(t('set up'), remedies.map((action) => entry('tools', action)))];
  return [
    ...group(t('problems'), remedies.map((action) => entry('lightbulb', action))),
    ...group(t('suggestions'), suggestionEntries(status).filter(isNew)),
    ...group(t('model'), [
      entry('list-selection', { title: t('Select Model...'), command: 'fimLsp.selectModel' }, status.model[0]),
      entry('graph', { title: t('Keys Saved This Week'), command: 'fimLsp.showUsage' }),
    ]),
    ...group(t('server'), [
      entry('gear', actions.openSettings()),
      entry('book', { title: t('Open Walkthrough'), command: 'fimLsp.openWalkthrough' }),
      entry('debug-restart', actions.restart()),
      entry('output', actions.showOutput()),
    ]),
  ];
}

function suggestionEntries(status: StatusBar): MenuItem[] {
  const document = vscode.window.activeTextEditor?.document;
  const isCode = SCHEMES.some((scheme) => scheme === document?.uri.scheme);
  const language = isCode ? document?.languageId : undefined;
  return [
    ...(language === undefined ? [] : [
      entry('sparkle', { title: t('Suggest Now'), command: 'fimLsp.trigger' }),
      entry('question', { title: t('Why Nothing Here?'), command: 'fimLsp.whyNothing' }),
    ]),
    entry('info', { title: t('Explain Last Suggestion'), command: 'fimLsp.explain' }),
    isEnabled()
      ? entry('circle-slash', { title: t('Turn Off'), command: 'fimLsp.toggle' }, t('they are on'))
      : entry('check', { title: t('Turn On'), command: 'fimLsp.toggle' }, t('they are off')),
    ...(language === undefined ? [] : [languageEntry(language)]),
    status.isSnoozed
      ? entry('bell', actions.endSnooze(), status.offReason?.long)
      : entry('bell-slash', { title: t('Snooze for 5 Minutes'), command: 'fimLsp.snooze' }),
  ];
}

function languageEntry(language: string): MenuItem {
  return isLanguageEnabled(readLanguages(), language)
    ? entry('file-code', { title: t('Turn Off for {0}', language), command: 'fimLsp.toggleLanguage' }, t('it is on'))
    : entry('check', { title: t('Turn On for {0}', language), command: 'fimLsp.toggleLanguage' }, t('it is off'));
}

function entry(icon: string, { title, ...action }: Action, description = ''): MenuItem {
  return { label: `$(${icon}) ${title}`, description, action };
}

function group(label: string, items: MenuItem[]): MenuItem[] {
  return items.length === 0 ? [] : [{ label, kind: vscode.QuickPickItemKind.Separator }, ...items];
}
