// The pages of the sidebar, in order. Pressing `g` and then the letter opens the page.

import {
  Boxes,
  CalendarClock,
  CircleUserRound,
  CircleX,
  LayoutDashboard,
  ListVideo,
  type LucideIcon,
  Settings2,
  TextSearch,
} from 'lucide-react';

export type Place = {
  readonly href: string;
  readonly name: string;
  readonly key: string;
  readonly icon: LucideIcon;
};

export const places: readonly Place[] = [
  { href: '/', name: 'Overview', key: 'o', icon: LayoutDashboard },
  { href: '/runs', name: 'Runs', key: 'r', icon: ListVideo },
  { href: '/jobs', name: 'Jobs', key: 'j', icon: Boxes },
  { href: '/schedules', name: 'Schedules', key: 's', icon: CalendarClock },
  { href: '/approvals', name: 'Approvals', key: 'a', icon: CircleUserRound },
  { href: '/failures', name: 'Failures', key: 'f', icon: CircleX },
  { href: '/logs', name: 'Logs', key: 'l', icon: TextSearch },
  { href: '/admin', name: 'Admin', key: 'd', icon: Settings2 },
];

export function isAt(href: string, location: string): boolean {
  return href === '/' ? location === '/' : location === href || location.startsWith(`${href}/`);
}
