import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stateOf } from '../support/processes.ts';
import { createFolder, startNode, untilNextSignalCounts } from './terminal.ts';

const program = join(import.meta.dirname, 'programs/stop-slowly.ts');

test('a second signal immediately ends a server that is still stopping, with 130', async () => {
  const { child, ended, prints } = startNode(createFolder(), [program]);
  await prints(/ready/);
  child.kill('SIGINT');
  await prints(/stopping at SIGINT/);
  await untilNextSignalCounts();
  child.kill('SIGTERM');
  expect((await ended).code).toBe(130);
});

test('a clock that is set back between two signals does not hide the second one', async () => {
  const goesBack = 'const start = Date.now(); let hours = 0; Date.now = () => start - 3_600_000 * hours++;';
  const { child, ended, prints } = startNode(createFolder(), ['--import', `data:text/javascript,${goesBack}`, program]);
  await prints(/ready/);
  child.kill('SIGINT');
  await prints(/stopping at SIGINT/);
  await untilNextSignalCounts();
  child.kill('SIGTERM');
  expect((await ended).code).toBe(130);
});

test('two signals at the same moment count as one, because npm forwards the terminal’s Ctrl-C', async () => {
  const { child, prints } = startNode(createFolder(), [program]);
  await prints(/ready/);
  // Both signals reach the process at the same moment, however long it takes to send them.
  child.kill('SIGSTOP');
  await expect.poll(() => stateOf(child.pid ?? 0)).toBe('T');
  child.kill('SIGINT');
  child.kill('SIGTERM');
  child.kill('SIGCONT');
  await prints(/^SIGINT$/m);
  await prints(/^SIGTERM$/m);
  expect(child.exitCode).toBeNull();
});

test('a terminal that is closed counts once, although its shell and the kernel both send a signal', async () => {
  const { child, prints } = startNode(createFolder(), [program]);
  await prints(/ready/);
  const again = setInterval(() => child.kill('SIGHUP'), 100);
  // Longer than two signals count as one.
  await prints(/^(?:SIGHUP\n(?:stopping at SIGHUP\n)?){5}/m).finally(() => clearInterval(again));
  expect(child.exitCode).toBeNull();
});
