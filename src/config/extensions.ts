// What `extensions.enabled` means to this build.

import { extensions, extensionsWithoutEffect } from './keys.ts';
import { placeOf, type Settings, settingAt, valueAt } from './settings.ts';

export function enabledExtensions(settings: Settings): readonly string[] {
  const named: readonly string[] = valueAt(settings, 'extensions.enabled');
  return extensions.filter((name) => named.includes(name));
}

/** A note for each name that changes nothing. */
export function noteExtensions(settings: Settings): string[] {
  const setting = settingAt(settings, 'extensions.enabled');
  if (!setting || setting.value === undefined) return [];
  const named: readonly string[] = valueAt(settings, 'extensions.enabled');
  return extensionsWithoutEffect
    .filter((name) => named.includes(name))
    .map((name) => `${placeOf(setting.origin)}: the extension \`${name}\` is accepted and changes nothing`);
}
