// The sidebar: the pages, the favourites, help and settings, and the server's health at its foot.

import { CircleQuestionMark, LogOut, PanelLeft, Search, SlidersHorizontal } from 'lucide-react';
import type { ReactElement, ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { IconButton } from '../design/controls/Button.tsx';
import { Menu } from '../design/controls/Menu.tsx';
import { Tooltip } from '../design/controls/Tooltip.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { Kbd } from '../design/text/Kbd.tsx';
import { useWidth } from '../design/width.ts';
import { useAnswer } from '../session/answers.tsx';
import { useSession } from '../session/session.tsx';
import { Count } from './Counts.tsx';
import { Favourites } from './Favourites.tsx';
import { Health } from './Health.tsx';
import { Logo } from './Logo.tsx';
import { isAt, type Place, places } from './places.ts';
import styles from './Sidebar.module.css';
import { useSettings } from './settings.ts';

/** In narrower windows the sidebar shows its icons only. */
const wholePx = 1_180;

type Actions = {
  readonly openHelp: () => void;
  readonly openPalette: () => void;
  readonly toggleSidebar: () => void;
};

export function Sidebar(o: Actions & { readonly isCollapsed: boolean }): ReactNode {
  const isWide = useWidth() >= wholePx;
  const isCollapsed = o.isCollapsed || !isWide;
  const settings = useSettings();
  return (
    <header className={styles.side} data-collapsed={isCollapsed || undefined}>
      <Head isCollapsed={isCollapsed} openPalette={o.openPalette} />
      <div className={styles.middle}>
        <nav aria-label="Pages" className={styles.group}>
          {places.map((place) => (
            <PlaceLink key={place.href} place={place} isCollapsed={isCollapsed} />
          ))}
        </nav>
        <Favourites isCollapsed={isCollapsed} />
      </div>
      <div className={styles.group}>
        <Act name="Help" keys="?" isCollapsed={isCollapsed}>
          <button type="button" className={styles.link} onClick={o.openHelp}>
            <CircleQuestionMark size={16} aria-hidden="true" />
            <Name isCollapsed={isCollapsed} name="Help" keys="?" />
          </button>
        </Act>
        <Menu
          align="start"
          trigger={
            <button type="button" className={styles.link}>
              <SlidersHorizontal size={16} aria-hidden="true" />
              <Name isCollapsed={isCollapsed} name="Settings" />
            </button>
          }
          entries={settings}
        />
        {isWide && (
          <Act name="Expand" keys="[" isCollapsed={isCollapsed}>
            <button type="button" className={styles.link} aria-expanded={!isCollapsed} onClick={o.toggleSidebar}>
              <PanelLeft size={16} aria-hidden="true" />
              <Name isCollapsed={isCollapsed} name={isCollapsed ? 'Expand' : 'Collapse'} keys="[" />
            </button>
          </Act>
        )}
      </div>
      <div className={styles.foot}>
        <Health isCollapsed={isCollapsed} />
        <Caller isCollapsed={isCollapsed} />
      </div>
    </header>
  );
}

function Head({
  isCollapsed,
  openPalette,
}: {
  readonly isCollapsed: boolean;
  readonly openPalette: () => void;
}): ReactNode {
  const name = useInstance()?.name;
  return (
    <div className={styles.head}>
      <Link href="/" className={styles.brand} aria-label="flwd">
        <Logo size={18} />
        {!isCollapsed && 'flwd'}
      </Link>
      {!isCollapsed && name !== undefined && <Chip title={`The instance ${name}`}>{name}</Chip>}
      <Act name="Jump to…" keys="Ctrl K" isCollapsed={isCollapsed}>
        <button type="button" className={styles.jump} onClick={openPalette}>
          <Search size={14} strokeWidth={2.2} aria-hidden="true" />
          <Name isCollapsed={isCollapsed} name="Jump to…" keys="Ctrl K" />
        </button>
      </Act>
    </div>
  );
}

function PlaceLink({ place, isCollapsed }: { readonly place: Place; readonly isCollapsed: boolean }): ReactNode {
  const [location] = useLocation();
  const { href, name, icon: Icon } = place;
  return (
    <Act name={name} keys={`g ${place.key}`} isCollapsed={isCollapsed}>
      <Link href={href} className={styles.link} aria-current={isAt(href, location) ? 'page' : undefined}>
        <Icon size={16} aria-hidden="true" />
        <span className={isCollapsed ? 'unseen' : styles.name}>{name}</span>
        <Count href={href} isAboveIcon={isCollapsed} />
      </Link>
    </Act>
  );
}

/** In a collapsed sidebar the name is a tooltip. */
function Act({
  name,
  keys,
  isCollapsed,
  children,
}: {
  readonly name: string;
  readonly keys: string;
  readonly isCollapsed: boolean;
  readonly children: ReactElement;
}): ReactNode {
  if (!isCollapsed) return children;
  return (
    <Tooltip text={name} keys={keys} side="right">
      {children}
    </Tooltip>
  );
}

function Name({
  isCollapsed,
  name,
  keys,
}: {
  readonly isCollapsed: boolean;
  readonly name: string;
  readonly keys?: string;
}): ReactNode {
  if (isCollapsed) return <span className="unseen">{name}</span>;
  return (
    <>
      <span className={styles.name}>{name}</span>
      {keys !== undefined && (
        <span aria-hidden="true">
          <Kbd>{keys}</Kbd>
        </span>
      )}
    </>
  );
}

function Caller({ isCollapsed }: { readonly isCollapsed: boolean }): ReactNode {
  const { isSignedIn, signOut } = useSession();
  const instance = useInstance();
  return (
    <>
      {instance && !isCollapsed && (
        <span className={styles.caller} title={`You are ${instance.caller.name}. flwd ${instance.version}`}>
          {instance.caller.name}
        </span>
      )}
      {isSignedIn && <IconButton icon={LogOut} label="Sign out" size="small" onClick={signOut} />}
    </>
  );
}

function useInstance() {
  return useAnswer(['instance'], (client, signal) => client.call('getSystemInfo', { signal }), {
    staleTime: Number.POSITIVE_INFINITY,
  }).data;
}
