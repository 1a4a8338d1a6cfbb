/** Translates what people read, also in modules without `vscode`; `activate` brings VS Code's function for it. */

/** Returns a message in the user's language, with `{0}` and so on replaced. */
type Translate = (message: string, ...values: (string | number)[]) => string;

let translate: Translate = (message, ...values) =>
  message.replaceAll(/\{(\d+)\}/g, (all, index: string) => String(values[Number(index)] ?? all));

/** Takes the function that translates from now on. */
export function useTranslations(newTranslate: Translate): void {
  translate = newTranslate;
}

/**
 * Returns a message in the user's language.
 *
 * @param message the English text, written out: translators get the list of all of them.
 */
export function t(message: string, ...values: (string | number)[]): string {
  return translate(message, ...values);
}
