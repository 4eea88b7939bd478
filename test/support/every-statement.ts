// A vitest reporter. A run of all tests, or of all in test/conformance, fails if no test has shown a statement of the
// API reference. Any run fails if a test names an unknown statement.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import { statements } from '../conformance/statements.ts';
import { absentTools } from './host.ts';

export type SeenTest = {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending';
  readonly shows: readonly string[];
};

const folder = join(import.meta.dirname, '../conformance');

export default class EveryStatement implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  async onTestRunEnd(modules: readonly TestModule[]): Promise<void> {
    if (!this.#vitest) return;
    const tests = modules.flatMap((module) =>
      Array.from(module.children.allTests(), (test): SeenTest => {
        const { shows = [] } = test.meta();
        return { name: test.fullName, state: test.result().state, shows };
      }),
    );
    const isWhole = await includesConformance(this.#vitest, modules);
    const wrong = [...unknownStatements(tests), ...(isWhole ? unshownStatements(tests) : [])];
    if (wrong.length === 0) return;
    console.error(`\nThe API reference (test/conformance/statements.ts):\n${wrong.join('\n')}\n`);
    process.exitCode = 1;
  }
}

/** The check also fails when the files are missing. Only a caller that narrows the run may leave them out. */
async function includesConformance(vitest: Vitest, modules: readonly TestModule[]): Promise<boolean> {
  if (vitest.config.testNamePattern) return false;
  // Without bubblewrap most tests are skipped by name, except in CI (host.ts).
  if (!process.env.CI && absentTools('bwrap').length > 0) return false;
  const isAll = vitest.config.project.length === 0 && modules.length === (await vitest.globTestSpecifications()).length;
  const files = readdirSync(folder).filter((name) => name.endsWith('.test.ts'));
  const seen = new Set(modules.map(({ moduleId }) => moduleId));
  return isAll || (files.length > 0 && files.every((name) => seen.has(join(folder, name))));
}

export function unknownStatements(tests: readonly SeenTest[]): string[] {
  return tests.flatMap(({ name, shows }) =>
    shows.filter((id) => !(id in statements)).map((id) => `${id} is no statement; the test '${name}' names it`),
  );
}

export function unshownStatements(tests: readonly SeenTest[]): string[] {
  const shown = new Set(tests.filter(({ state }) => state === 'passed').flatMap(({ shows }) => shows));
  return Object.entries(statements)
    .filter(([id]) => !shown.has(id))
    .map(([id, sentence]) => `${id} is shown by no test that passed: ${sentence}`);
}
