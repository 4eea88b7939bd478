// Time zones of this machine, and their names.

import { readlinkSync } from 'node:fs';

export function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** The zone of the host and of its cron, which read /etc/localtime. */
export function hostTimezone(): string {
  try {
    const [, zone] = /\/zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(readlinkSync('/etc/localtime')) ?? [];
    if (zone !== undefined) return zone === 'Etc/UTC' ? 'UTC' : zone;
  } catch {
    // A copy instead of a link: Node knows its zone.
  }
  return zoneOfNode();
}

/** The zone of this process: TZ if it is set, as in a container, and otherwise that of the host. */
export function localTimezone(): string {
  const zone = process.env.TZ ? zoneOfNode() : hostTimezone();
  // Node knows no zone when TZ does not name one.
  return zone && isTimezone(zone) ? zone : 'UTC';
}

function zoneOfNode(): string {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return zone === 'Etc/UTC' ? 'UTC' : zone;
}
