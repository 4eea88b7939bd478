// Lists all settings for an operator: key, value, origin.

import { type Key, keys } from './keys.ts';
import { itemsOf, type Origin, type Setting, type Settings, valueAt } from './settings.ts';
import { keyPaths, locate } from './shape.ts';

type Row = readonly [key: string, value: string, from: string];

/**
 * Returns the settings in the order of the table of keys. Keys of one source, profile, alias or remote stay together.
 */
export function showSettings(settings: Settings): readonly Row[] {
  const rows = keyPaths.flatMap((path) =>
    itemsOf(settings, path).flatMap(({ at }) => {
      const place = locate(path, at);
      const setting = settings.entries.get(place);
      const { sourceTypes, isForUntrusted }: Key = keys[path];
      if (!setting || sourceTypes?.includes(valueAt(settings, 'sources[].type', at)) === false) return [];
      if (isForUntrusted && valueAt(settings, 'sources[].trusted', at)) return [];
      const group = `${path.split(/[.[]/, 1).join('')} ${at}`;
      return [{ group, row: [place, showValue(setting), showOrigin(setting.origin)] satisfies Row }];
    }),
  );
  return [...Map.groupBy(rows, ({ group }) => group).values()].flat().map(({ row }) => row);
}

function showValue({ path, raw, value }: Setting): string {
  const { kind, isSecret }: Key = keys[path];
  if (value === null) return '-';
  if (isSecret && JSON.stringify(raw) !== '{}') return '[redacted]';
  return JSON.stringify(kind.isPath ? value : raw).replace(/^"(.*)"$/, '$1');
}

function showOrigin(origin: Origin): string {
  if (origin.kind === 'file') return `${origin.file}:${origin.line}`;
  return origin.kind === 'default' ? 'default' : origin.name;
}
