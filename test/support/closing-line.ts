// A vitest reporter for CI: the last line of the output says how many tests passed, failed and were skipped.

import type { Reporter, TestModule } from 'vitest/node';

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state]++;
      // A file that cannot be loaded and a hook that throws have no test to report.
      const broken = [module, ...module.children.allSuites()].filter((part) => part.errors().length > 0);
      count.failed += broken.length;
    }
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
    process.once('exit', (code) => {
      // Another reporter has failed the run.
      if (code !== 0) count.failed ||= 1;
      console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
    });
  }
}
