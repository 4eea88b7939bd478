import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const logger = join(import.meta.dirname, '../../src/lib/logger.ts');

test('text from outside stays on one line of the text log and cannot control a terminal', () => {
  const hostile = 'a\u001B]2;b\u0007\n2026 info c\u009B2J\u202Ed';
  const program = `
    const { createLogger } = await import(${JSON.stringify(logger)});
    const hostile = ${JSON.stringify(hostile)};
    createLogger({ level: 'info', format: 'text' }).info({ name: hostile, more: [hostile] }, hostile);`;
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect(stderr).not.toMatch(/[^\P{Cc}\n]|\u202E/u);
  expect(stderr).toContain(String.raw`a\u001b]2;b\u0007\u000a2026 info c\u009b2J\u202ed name=a\u001b]2;b`);
});

test('a line of the text log does not repeat the message of its error', () => {
  const program = `
    const { createLogger } = await import(${JSON.stringify(logger)});
    const log = createLogger({ level: 'info', format: 'text', isBrief: () => true });
    log.error({ err: new Error('disk is full') }, 'the database cannot be written: disk is full');
    log.error({ err: new Error('disk is full') }, 'the database cannot be written');`;
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(stderr.replaceAll(/^\S+ /gm, '')).toBe(
    'error the database cannot be written: disk is full\nerror the database cannot be written err=disk is full\n',
  );
});
