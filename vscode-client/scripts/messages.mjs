// Find the texts of the extension's code: those that are translated, and those that should be.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const SOURCE = new URL('../src/', import.meta.url).pathname;

/** Calls whose arguments nobody reads but in the output, or who writes a program. */
const NOT_SHOWN = /^(?:this\.)?output\.\w+$|^work\.log$|^assert\b|^vscode\.Uri\.parse$|^RegExp$/;
/** Names of states in the code, and styles, which nobody reads. */
const NAMES = new Set(['not found', 'python extension', 'on request', 'set up', '1px solid']);
/** Two words in a row: a sentence, or a part of one. */
const PROSE = /[a-z]{2,} [a-z]{2,}/i;

/** Returns the messages that are given to `t`, and the places of prose that is not. */
export function findMessages() {
  const [messages, untranslated] = [new Set(), []];
  for (const name of readdirSync(SOURCE).filter((file) => file.endsWith('.ts')).sort()) {
    const text = readFileSync(join(SOURCE, name), 'utf8');
    const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
    const visit = (node, isCovered) => {
      if (ts.isImportDeclaration(node)) return;
      if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
        const callee = node.expression.getText(file);
        if (callee === 't') {
          const message = literalOf(node.arguments[0]);
          if (message === undefined) untranslated.push(`${name}: ${node.getText(file)}`);
          else messages.add(message);
          node.arguments.slice(1).forEach((argument) => { visit(argument, isCovered); });
          return;
        }
        if (NOT_SHOWN.test(callee)) isCovered = true;
      }
      if (!isCovered && isText(node) && isProse(node.text) && !isMarkup(name, node)) {
        untranslated.push(`${name}: ${node.text.trim()}`);
      }
      ts.forEachChild(node, (child) => { visit(child, isCovered); });
    };
    visit(file, false);
  }
  return { messages: [...messages].sort(), untranslated };
}

/** Returns the text of a literal, or of several that are joined by `+`; undefined for anything else. */
function literalOf(node) {
  if (node === undefined) return undefined;
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [literalOf(node.left), literalOf(node.right)];
    return left === undefined || right === undefined ? undefined : left + right;
  }
  return undefined;
}

/** Tells whether people would read a text: the extension's name alone and commands stay as they are. */
function isProse(text) {
  return PROSE.test(text.replaceAll('FIM LSP', '')) && !NAMES.has(text) && !/ --\w/.test(text);
}

function isText(node) {
  return ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)
    || ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node);
}

/** Markup and styles, and the program that asks a Python for its version. */
function isMarkup(name, node) {
  return (name === 'usage_page.ts' && /[<>{]|default-src/.test(node.text)) || node.text.includes('import sys');
}
