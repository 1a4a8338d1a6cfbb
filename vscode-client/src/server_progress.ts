/** Shows work of the server that can be cancelled as a notification, because the status bar has no button for that. */

import * as vscode from 'vscode';
import type {
  ProgressToken, WorkDoneProgressBegin, WorkDoneProgressEnd, WorkDoneProgressReport,
} from 'vscode-languageclient/node';

type Value = WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd;

export class ServerProgress {
  private readonly cancel: (token: ProgressToken) => void;
  private readonly shown = new Map<ProgressToken, ProgressNotification>();

  /** @param cancel tells the server that the user wants the work of a token to end. */
  constructor(cancel: (token: ProgressToken) => void) {
    this.cancel = cancel;
  }

  /** Shows what the server reports; returns false for work that cannot be cancelled, which is not shown. */
  show(token: ProgressToken, value: Value): boolean {
    if (value.kind === 'begin' && value.cancellable === true) {
      this.shown.set(token, new ProgressNotification(value, () => { this.cancel(token); }));
      return true;
    }
    const shown = this.shown.get(token);
    if (shown === undefined) return false;
    if (value.kind === 'end') {
      shown.end();
      this.shown.delete(token);
    } else {
      shown.report(value);
    }
    return true;
  }

  /** Takes all notifications away, because the server is gone. */
  clear(): void {
    for (const shown of this.shown.values()) shown.end();
    this.shown.clear();
  }
}

class ProgressNotification {
  private message: string | undefined;
  private percentage: number;
  private reported = 0;
  private progress: vscode.Progress<{ message?: string; increment?: number }> | undefined;
  /** Ends the notification; does nothing until it is there. */
  private resolve: () => void = () => undefined;
  private isEnded = false;

  constructor({ title, message, percentage = 0 }: WorkDoneProgressBegin, cancel: () => void) {
    this.message = message;
    this.percentage = percentage;
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    void vscode.window.withProgress(options, (progress, cancellation) => {
      // VS Code calls this some time later; reports have come meanwhile, perhaps even the end.
      cancellation.onCancellationRequested(cancel);
      this.progress = progress;
      this.refresh();
      return new Promise<void>((resolve) => {
        this.resolve = resolve;
        if (this.isEnded) resolve();
      });
    });
  }

  report({ message, percentage }: { message?: string; percentage?: number }): void {
    this.message = message ?? this.message;
    this.percentage = percentage ?? this.percentage;
    this.refresh();
  }

  end(): void {
    this.isEnded = true;
    this.resolve();
  }

  private refresh(): void {
    if (this.progress === undefined) return;
    const increment = Math.max(0, this.percentage - this.reported);
    this.reported += increment;
    const percentage = `${this.percentage.toFixed(0)} %`;
    this.progress.report({ increment, message: this.message ? `${percentage}, ${this.message}` : percentage });
  }
}
