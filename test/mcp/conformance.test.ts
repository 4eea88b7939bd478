// The protocol's own conformance suite, against `/mcp` of a real server.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { createInstance } from '../cli/an-instance.ts';
import { bash } from '../support/jobs.ts';

const suite = join(import.meta.dirname, '../../node_modules/@modelcontextprotocol/conformance/dist/index.js');

/** Each with the checks that fail, and why they may. */
const scenarios: readonly (readonly [version: string, scenario: string, ...failures: string[]])[] = [
  ['2025-11-25', 'server-initialize'],
  ['2025-11-25', 'server-session-lifecycle'],
  ['2025-11-25', 'ping'],
  ['2025-11-25', 'tools-list'],
  ['2025-11-25', 'resources-list'],
  ['2025-11-25', 'server-sse-multiple-streams'],
  ['2025-11-25', 'dns-rebinding-protection'],
  ['2026-07-28', 'tools-list'],
  ['2026-07-28', 'resources-list'],
  ['2026-07-28', 'sep-2164-resource-not-found'],
  ['2026-07-28', 'server-sse-multiple-streams'],
  ['2026-07-28', 'dns-rebinding-protection'],
  ['2026-07-28', 'http-header-validation'],
  ['2026-07-28', 'input-required-result-unsupported-methods'],
  // There are no prompts.
  ['2026-07-28', 'caching', 'sep-2549-prompts-list-caching-hints'],
  // These want tools of the suite's own example server.
  [
    '2026-07-28',
    'server-stateless',
    'sep-2575-http-server-no-independent-requests-on-stream',
    'sep-2575-missing-capability-http-400',
    'sep-2575-server-no-log-without-loglevel',
    'sep-2575-server-rejects-undeclared-capability',
  ],
];

test('the suite finds no other failures than these', async () => {
  const { serve } = await createInstance({ hello: bash('echo hello') });
  const { url } = await serve();
  for (const [version, scenario, ...failures] of scenarios) {
    const words = ['server', '--url', `${url}/mcp`, '--scenario', scenario, '--spec-version', version];
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, [suite, ...words], (_error, stdout, stderr) => resolve(`${stdout}${stderr}`));
    });
    const lines = stripVTControlCharacters(output).matchAll(/\[([\w-]+) *\] (SUCCESS|FAILURE|WARNING)/g);
    const checks = [...lines].map(([, id = '', result]) => ({ id, result }));
    expect(checks.filter(({ result }) => result === 'SUCCESS').length, output).toBeGreaterThan(0);
    const failed = checks.filter(({ result }) => result === 'FAILURE').map(({ id }) => id);
    expect([version, scenario, ...[...new Set(failed)].toSorted()]).toEqual([version, scenario, ...failures]);
  }
});
