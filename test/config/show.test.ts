import { expect, test } from 'vitest';
import { createSettings, put } from '../../src/config/settings.ts';
import { showSettings } from '../../src/config/show.ts';

test('a database URL is never shown, because it may contain a password', () => {
  const settings = createSettings();
  const origin = { kind: 'environment', name: 'FLWD_DATABASE_URL' } as const;
  put(settings, 'persistence.url', '', 'postgres://u:hunter2@h/db', origin, { dir: '/', home: '/' });
  settings.items.set('sources', []);
  expect(showSettings(settings)).toEqual([['persistence.url', '[redacted]', 'FLWD_DATABASE_URL']]);
});

test('a setting whose values are secret is shown if it is empty', () => {
  const settings = createSettings();
  const at = { kind: 'environment', name: 'X' } as const;
  const base = { dir: '/', home: '/' };
  settings.items.set('sources', []);
  settings.items.set(
    'notify.channels',
    ['ops', 'sent'].map((name) => ({ at: name, origin: at })),
  );
  put(settings, 'notify.channels.<name>.headers', 'ops', {}, at, base);
  put(settings, 'notify.channels.<name>.headers', 'sent', { 'x-key': 'hunter2' }, at, base);
  expect(showSettings(settings)).toEqual([
    ['notify.channels.ops.headers', '{}', 'X'],
    ['notify.channels.sent.headers', '[redacted]', 'X'],
  ]);
});
