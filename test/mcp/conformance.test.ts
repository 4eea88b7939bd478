// Runs the protocol's own conformance suite against `/mcp`. `npm run check:all` also runs the next release of the
// suite, which covers the generation of 2026.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startServing } from '../server/serving.ts';
import { bash } from '../support/jobs.ts';

const suites = {
  release: { package: '@modelcontextprotocol/conformance', words: [] },
  next: { package: 'mcp-conformance-next', words: ['--requirements', '2026-07-28'] },
};

test('the suite finds only the failures that are listed with their reasons', async () => {
  const name = process.env.MCP_CONFORMANCE === 'next' ? 'next' : 'release';
  const { package: suite, words } = suites[name];
  await using server = await startServing({ jobs: { hello: bash('echo hello') } });
  const program = join(import.meta.dirname, '../../node_modules', suite, 'dist/index.js');
  const failures = join(import.meta.dirname, `conformance-${name}.yaml`);
  const args = [program, 'server', '--url', `${server.url}/mcp`, '--expected-failures', failures, ...words];
  const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
    execFile(process.execPath, args, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, output: `${stdout}${stderr}` }),
    );
  });
  expect(code, output).toBe(0);
  expect(output).toContain('✓ tools-list');
});
