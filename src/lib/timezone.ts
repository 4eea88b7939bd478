// Time zones of this machine, and their names.

import { readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { nearest } from './nearest.ts';

export function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** Continues "must be a time zone such as `Europe/Berlin`": the name that was written, and what may have been meant. */
export function notTimezone(name: string): string {
  const near = nearest(name, Intl.supportedValuesOf('timeZone'));
  return `, not \`${name.slice(0, 80)}\`${near === undefined ? '' : `: did you mean \`${near}\`?`}`;
}

/** The time zone of the host, which /etc/localtime names. cron uses it too. */
export function hostTimezone(): string {
  try {
    const [, zone] = /\/zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(readlinkSync('/etc/localtime')) ?? [];
    if (zone !== undefined) return shortened(zone);
  } catch {
    // /etc/localtime is a copy and not a link, so Node has to find its zone.
  }
  return zoneOfNode();
}

/**
 * The time zone of this process: TZ if it is set, as in a container, and otherwise the zone of the host. Every start of
 * a server calls this. Node's own zones take 11 ms and 10 MB to load, so Node is asked only about names that the host's
 * files do not have.
 */
export function localTimezone(): string {
  const { TZ } = process.env;
  const zone = TZ ? (isZoneOfHost(TZ) ? shortened(TZ) : zoneOfNode()) : hostTimezone();
  // If TZ names no time zone, Node does not know one either.
  return zone && (isZoneOfHost(zone) || isTimezone(zone)) ? zone : 'UTC';
}

function isZoneOfHost(name: string): boolean {
  if (name === 'UTC') return true;
  if (!/^[A-Z]\w*(?:\/[A-Z][\w+-]*)+$/.test(name)) return false;
  return statSync(join('/usr/share/zoneinfo', name), { throwIfNoEntry: false })?.isFile() === true;
}

function zoneOfNode(): string {
  return shortened(new Intl.DateTimeFormat().resolvedOptions().timeZone);
}

function shortened(zone: string): string {
  return zone === 'Etc/UTC' ? 'UTC' : zone;
}
