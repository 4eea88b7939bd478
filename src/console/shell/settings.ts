// The settings that a user may change for this browser, as entries of a menu.

import { Check } from 'lucide-react';
import type { MenuEntry } from '../design/controls/Menu.tsx';
import { usePreference } from '../design/preferences.ts';

const themes = [
  [null, 'Theme of the system'],
  ['light', 'Light theme'],
  ['dark', 'Dark theme'],
] as const;

export function useSettings(): MenuEntry[] {
  const [theme, setTheme] = usePreference('theme');
  const [density, setDensity] = usePreference('density');
  const isComfortable = density === 'comfortable';
  return [
    ...themes.map(
      ([value, label]): MenuEntry => ({
        label,
        act: () => setTheme(value),
        ...(theme === value && { icon: Check, note: 'chosen' }),
      }),
    ),
    'rule',
    {
      label: 'Comfortable rows',
      act: () => {
        setDensity(isComfortable ? null : 'comfortable');
        // Tables use the height of a row in their computations, so the page is reloaded.
        location.reload();
      },
      ...(isComfortable && { icon: Check, note: 'chosen' }),
    },
  ];
}
