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
