import { readFile, writeFile } from 'node:fs/promises';

export class TodoList {
  constructor(path) {
    this.path = path;
    this.items = [];
  }

  async load() {
    try {
      this.items = JSON.parse(await readFile(this.path, 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') {
        throw error;
      }
    }
  }

  async save() {
    await writeFile(this.path, JSON.stringify(this.items, null, 2));
  }

  add(title) {
    this.items.push({ title, done: false });
  }

  finish(title) {
    const item = this.items.find((item) => item.title === title);
    if (item === undefined) {
      throw new Error(`no such item: ${title}`);
    }
    item.done = true;
  }
}
