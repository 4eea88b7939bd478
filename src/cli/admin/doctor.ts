// `flwd doctor`: says what this host can enforce, how to make it enforce the rest, and whether stored data can be read.
// Exits with 0 if the host can enforce the default profile, a server can use the files of the instance, and no data is
// damaged. Needs no server, and does not disturb a running one.

import { statSync } from 'node:fs';
import type { Client } from '../../client/client.ts';
import { type HostCheck, warn } from '../../domain/host-check.ts';
import { packageVersion } from '../../instance/version.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { askServer } from '../session/owner.ts';
import { everyPage } from '../session/pages.ts';
import { checkTakeover } from '../takeover/check-takeover.ts';

export async function run(options: Options): Promise<ExitCode> {
  const { config, file, warnings } = loadConfiguration(options);
  for (const warning of warnings) process.stderr.write(`flwd: ${warning}\n`);
  const { examineHost } = await import('../../operator.ts');
  const served = await askServer(config.instance.dataDir, readServed);
  const { checks: ofHost, canRunDefault, canServe } = await examineHost(config, served);
  const checks = [
    ...ofHost,
    ...checkAge(file, served?.startedAtMs),
    ...checkVersion(served?.version),
    ...(await checkTakeover(config, served)),
  ];
  const { defaultProfile } = config.security;
  if (options.has('json'))
    process.stdout.write(
      `${JSON.stringify({ default_profile: defaultProfile, enforceable: canRunDefault, checks })}\n`,
    );
  else process.stdout.write(`${table(checks)}\n${verdict(defaultProfile, canRunDefault)}\n${failures(checks)}`);
  if (!canRunDefault) return exitCodes.wrongUse;
  return canServe ? exitCodes.done : exitCodes.runFailed;
}

async function readServed(server: Client) {
  const { sources } = await server.call('listSources');
  const { invalid } = await server.call('listJobs', { query: { limit: 1 } });
  const pages = await everyPage((from) => server.call('listSchedules', { query: from }));
  const broken = invalid.map(({ id }) => id);
  return {
    sources,
    broken,
    schedules: pages.flatMap(({ schedules }) => schedules),
    ...(await readHealth(server)),
  };
}

/** `startedAtMs` is when the server started, or up to a second later. An unhealthy server returns neither field. */
async function readHealth(server: Client): Promise<{ readonly startedAtMs?: number; readonly version?: string }> {
  const health = await server.call('getHealth').catch(() => undefined);
  return health ? { startedAtMs: systemClock.now() - health.uptime_seconds * 1000, version: health.version } : {};
}

export function checkVersion(running: string | undefined, own = packageVersion()): HostCheck[] {
  if (running === undefined || running === own) return [];
  return [
    warn('version', `the running server is flwd ${running}, but this command is flwd ${own}`, 'restart the server'),
  ];
}

function checkAge(file: string | null, startedAtMs = Infinity): HostCheck[] {
  if (file === null || statSync(file).mtimeMs <= startedAtMs) return [];
  const detail = `${file} was changed after the running server had started, so the server does not use the new settings yet`;
  return [warn('flwd.yaml', detail, 'restart the server')];
}

function table(checks: readonly HostCheck[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks
    .map(({ name, status, detail, fix }) => {
      const then = fix === null ? '' : `\n${' '.repeat(width + 8)}→ ${fix}`;
      return `${status.padEnd(4)}  ${name.padEnd(width)}  ${detail}${then}\n`;
    })
    .join('');
}

function verdict(profile: string, canRun: boolean): string {
  return canRun
    ? `The default profile, ${profile}, can be enforced on this host.`
    : `The default profile, ${profile}, cannot be enforced on this host: runs with it fail with isolation-unavailable.`;
}

/** The summary comes last, because people read the last line first. */
function failures(checks: readonly HostCheck[]): string {
  const names = checks.filter(({ status }) => status === 'fail').map(({ name }) => name);
  if (names.length === 0) return '';
  const [count, them] = names.length === 1 ? ['1 check', 'it'] : [`${names.length} checks`, 'them'];
  return `${count} failed: ${names.join(', ')}. The table above says how to fix ${them}.\n`;
}
