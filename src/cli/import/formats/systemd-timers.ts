// Finds the timers in a folder of systemd units, with the services that they start.

import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseCron, shortestGapMs } from '../../../lib/cron/cron.ts';
import { ownHome, ownUserName } from '../../../lib/files/own-user.ts';
import { hostTimezone } from '../../../lib/timezone.ts';
import { formatDuration } from '../../../lib/units.ts';
import { Refusal } from '../../exit-code.ts';
import type { Found, FoundSchedule, Origin } from '../found-job.ts';
import { readOnCalendar } from './systemd-calendar.ts';
import { type Manager, readService } from './systemd-service.ts';
import { spanMs } from './systemd-span.ts';
import { listOf, readUnit, type Unit } from './unit-file.ts';

const mostTimers = 1_000;
/** The names end up in scripts and paths, so nothing but systemd's own characters may be in them. */
const unitName = /^[A-Za-z0-9:_.\\@-]{1,255}$/;
const systemFolders = ['/etc', '/run', '/usr/local/lib', '/usr/lib'].map((root) => `${root}/systemd/system`);
const userFolders = ['/etc', '/run', '/usr/local/lib', '/usr/lib'].map((root) => `${root}/systemd/user`);

/** @param folder undefined: the folder of the user's own units or, for root, of the system's units. @throws Refusal */
export function findTimers(folder: string | undefined): Found[] {
  const isRoot = process.getuid?.() === 0;
  const own = join(ownHome(), '.config/systemd/user');
  const dir = resolve(folder ?? (isRoot ? '/etc/systemd/system' : own));
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) throw new Refusal(`there is no folder ${dir}`);
  const isUser = dir.endsWith('/systemd/user');
  const manager: Manager = {
    folders: [...new Set([dir, ...(isUser ? userFolders : systemFolders)])],
    user: isUser ? ownUserName() : 'root',
    home: isUser ? ownHome() : '/root',
    isUser,
  };
  const names = timersIn(dir);
  if (names.length > mostTimers) throw new Refusal(`${dir} has more than ${mostTimers} timers`);
  return names.map(({ name, isEnabled }) => foundOf(name, isEnabled, manager));
}

/** Finds the timers of a folder. Instances of templates are among them, although they exist only as links. */
function timersIn(dir: string): { readonly name: string; readonly isEnabled: boolean }[] {
  const linkFolders = listOf(dir).filter((name) => /\.(?:wants|requires|upholds)$/.test(name));
  const enabled = new Set(linkFolders.flatMap((name) => listOf(join(dir, name))));
  const files = listOf(dir).filter((name) => name.endsWith('.timer') && !name.endsWith('@.timer'));
  const instances = [...enabled].filter(
    (name) => /@.+\.timer$/.test(name) && existsSync(join(dir, name.replace(/@.+/, '@.timer'))),
  );
  // A folder without links was copied from somewhere, and says nothing about what is enabled.
  return [...new Set([...files, ...instances])].map((name) => ({
    name,
    isEnabled: linkFolders.length === 0 || enabled.has(name),
  }));
}

function foundOf(name: string, isEnabled: boolean, manager: Manager): Found {
  const origin = (text: string): Origin => ({ kind: 'systemd-timers', place: name, line: null, text });
  if (!unitName.test(name))
    return { kind: 'nothing', origin: origin(name), obstacles: ['this is not a valid name for a systemd unit'] };
  const timer = readUnit(name, manager.folders);
  if ('problem' in timer) return { kind: 'nothing', origin: origin(name), obstacles: [timer.problem] };
  const timerText = written(timer, 'Timer', timer.keys('Timer')).join('\n');
  const started = timer.last('Timer', 'Unit') ?? name.replace(/\.timer$/, '.service');
  const nothing = (...obstacles: string[]): Found => ({ kind: 'nothing', origin: origin(timerText), obstacles });
  if (!started.endsWith('.service') || !unitName.test(started))
    return nothing(`it starts ${started}, which is not a service`);
  const service = readUnit(started, manager.folders);
  if ('problem' in service) return nothing(service.problem);
  const obstacles: string[] = [];
  const program = readService(service, manager, obstacles);
  if (obstacles.length > 0) return nothing(...obstacles);
  const times = schedulesOf(timer);
  return {
    kind: 'job',
    name: name.replace(/\.timer$/, ''),
    description: program.description ?? timer.last('Unit', 'Description'),
    origin: origin([timerText, ...written(service, 'Service', ['ExecStart'])].join('\n')),
    program: program.command,
    environment: program.environment,
    schedules: times.schedules,
    user: program.user,
    home: program.home,
    arguments: [],
    settings: program.settings,
    notes: [...(isEnabled ? [] : ['the timer is not enabled there']), ...times.notes, ...program.notes],
  };
}

function written(unit: Unit, section: string, keys: readonly string[]): string[] {
  return keys.flatMap((key) => unit.all(section, key).map((value) => `${key}=${value}`));
}

const sinceOthers = ['OnStartupSec', 'OnActiveSec', 'OnUnitActiveSec', 'OnUnitInactiveSec'];

function schedulesOf(timer: Unit): { readonly schedules: FoundSchedule[]; readonly notes: string[] } {
  const isYes = (key: string): boolean => /^(?:1|yes|y|true|t|on)$/i.test(timer.last('Timer', key) ?? '');
  const notes: string[] = [];
  const delay = timer.last('Timer', 'RandomizedDelaySec') ?? '0';
  const jitterMs = spanMs(delay);
  const schedules = timer.all('Timer', 'OnCalendar').flatMap((expression): FoundSchedule[] => {
    const read = readOnCalendar(expression);
    const zone = 'problem' in read ? 'UTC' : (read.timezone ?? hostTimezone());
    const times = 'problem' in read ? read : parseCron(read.cron, zone);
    if ('problem' in times || 'problem' in read) {
      notes.push(
        `\`OnCalendar=${expression}\` ${'problem' in times ? times.problem : ''}, so the job has no schedule for this time`,
      );
      return [];
    }
    const hasJitter = jitterMs !== undefined && jitterMs > 0 && jitterMs < shortestGapMs(times);
    const jitter = hasJitter ? { jitter: formatDuration(jitterMs) } : {};
    return [
      { cron: read.cron, timezone: zone, settings: { ...(isYes('Persistent') && { catch_up: 'last' }), ...jitter } },
    ];
  });
  if (jitterMs === undefined || (jitterMs > 0 && schedules.some(({ settings }) => settings?.jitter === undefined)))
    notes.push(
      `\`RandomizedDelaySec=${delay}\` was left out: ${jitterMs === undefined ? 'it is not a time span' : 'it is not shorter than the time between two starts'}`,
    );
  const boots = timer.all('Timer', 'OnBootSec');
  if (boots.length > 0) {
    schedules.push({ cron: '@boot', timezone: hostTimezone(), settings: {} });
    notes.push(
      `\`OnBootSec=${boots.join(' ')}\` became \`@boot\`: the job starts when the server first starts after a boot`,
    );
  }
  for (const key of sinceOthers) {
    for (const span of timer.all('Timer', key)) notes.push(`\`${key}=${span}\` ${sinceLastStart(span)}`);
  }
  for (const key of ['OnClockChange', 'OnTimezoneChange', 'WakeSystem'].filter(isYes))
    notes.push(`\`${key}=\` was not carried over`);
  if (schedules.length === 0) notes.push('the job has no schedule yet');
  return { schedules, notes };
}

function sinceLastStart(span: string): string {
  const minutes = (spanMs(span) ?? 0) / 60_000;
  const says = 'counts from an earlier start, and flwd starts jobs at fixed times';
  if (Number.isInteger(minutes) && minutes > 0 && 60 % minutes === 0) {
    const cron = minutes === 60 ? '0 * * * *' : minutes === 1 ? '* * * * *' : `*/${minutes} * * * *`;
    return `${says}: \`cron: "${cron}"\` comes nearest`;
  }
  return says;
}
