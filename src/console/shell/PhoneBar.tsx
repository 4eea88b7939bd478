// The bar below the page on phones. It has the pages that people look at on a phone, and everything else under "More".

import { CircleQuestionMark, LogOut, Menu as MenuIcon, Search } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { Menu } from '../design/controls/Menu.tsx';
import { useSession } from '../session/session.tsx';
import { Count } from './Counts.tsx';
import styles from './PhoneBar.module.css';
import { isAt, places } from './places.ts';
import { useSettings } from './settings.ts';

const inBar = ['/', '/runs', '/jobs', '/approvals'];

export function PhoneBar(o: { readonly openHelp: () => void; readonly openPalette: () => void }): ReactNode {
  const [location] = useLocation();
  const settings = useSettings();
  const { isSignedIn, signOut } = useSession();
  const others = places.filter(({ href }) => !inBar.includes(href));
  return (
    <nav aria-label="Pages" className={styles.bar}>
      {places
        .filter(({ href }) => inBar.includes(href))
        .map(({ href, name, icon: Icon }) => (
          <Link key={href} href={href} className={styles.item} aria-current={isAt(href, location) ? 'page' : undefined}>
            <Icon size={18} aria-hidden="true" />
            {name}
            <span className={styles.count}>
              <Count href={href} isAboveIcon />
            </span>
          </Link>
        ))}
      <Menu
        trigger={
          <button
            type="button"
            className={styles.item}
            aria-current={others.some(({ href }) => isAt(href, location)) ? 'true' : undefined}
          >
            <MenuIcon size={18} aria-hidden="true" />
            More
          </button>
        }
        entries={[
          ...others.map(({ href, name, icon }) => ({ label: name, icon, href })),
          { label: 'Jump to…', icon: Search, act: o.openPalette },
          { label: 'Help', icon: CircleQuestionMark, act: o.openHelp },
          'rule',
          ...settings,
          ...(isSignedIn ? (['rule', { label: 'Sign out', icon: LogOut, act: signOut }] as const) : []),
        ]}
      />
    </nav>
  );
}
