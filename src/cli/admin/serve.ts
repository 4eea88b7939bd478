// `flwd serve`: runs a server until a signal stops it.

import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { showBind } from '../../config/checks.ts';
import { endProcess } from '../../instance/end-process.ts';
import { askToYield, DataDirOwned } from '../../instance/owner-lock.ts';
import { packageVersion } from '../../instance/version.ts';
import { systemClock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/error-code.ts';
import { createLogger, type Logger } from '../../lib/logger.ts';
import { isLoopback } from '../../lib/loopback.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { loadConfiguration } from '../session/configuration.ts';
import { clientOf } from '../session/owner.ts';
import { endAtOnce, stopSignal } from '../session/stop-signal.ts';
import { endRuns, nameRunning } from './serve-end.ts';
import { collectEarly, keepYoungHeapSmall } from './small-heap.ts';

export async function run(options: Options): Promise<ExitCode> {
  const { config, file, warnings } = loadConfiguration(options);
  let again: () => void = endAtOnce;
  const stopAsked = stopSignal(() => again());
  const log = createLogger(config.logging);
  for (const warning of warnings) log.warn(warning);
  if (config.auth.isDev)
    log.warn('--dev: the token dev-token allows everything, and any process on this machine can use it');
  if (config.auth.mode === 'none') log.warn('auth.mode is none: anyone who reaches the server may do everything');
  const { startHostProbe } = await import('../../host-probe.ts');
  const probe = startHostProbe(config);
  // When Node runs the TypeScript sources, it strips their types as they load, which would leave the heap 30 MB larger.
  // So the heap is kept small from the beginning.
  if (import.meta.url.endsWith('.ts')) {
    keepYoungHeapSmall();
    collectEarly();
  }
  const { serve } = await import('../../main.ts');
  keepYoungHeapSmall();
  const server = await onceFree(() => serve(config, { configFile: file && resolve(file), probe }), {
    dataDir: config.instance.dataDir,
    log,
    stopAsked,
  }).catch((error: unknown) => {
    throw explained(error, showBind(config.server.bind));
  });
  collectEarly();
  const { bind, tls } = config.server;
  const isOpen = !isLoopback(bind.host);
  if (isOpen && !tls) log.warn('other machines can reach this server without TLS: tokens are sent unencrypted');
  const reach = isOpen ? ` (${showBind(bind)}, reachable from other machines)` : '';
  // If the log goes to standard output, nothing else is printed there.
  const out = config.logging.output === 'stdout' ? process.stderr : process.stdout;
  out.write(`flwd ${packageVersion()} listening on ${server.url}${reach}\n`);
  const started = {
    ...(file && { config: file }),
    data_dir: config.instance.dataDir,
    bind: showBind(bind),
    auth: config.auth.mode,
  };
  log.info(started, 'started');
  if (process.pid === 1) log.warn(`no init process is running, so ${zombieWords}`);
  const end = await Promise.race([stopAsked, server.lost]);
  const isLost = typeof end === 'object';
  if (isLost)
    log.error({ pid: end.pid }, `another process has taken the data dir ${config.instance.dataDir}: ${lostCause}`);
  else log.info({ signal: end }, 'stopping');
  const client = isLost ? undefined : clientOf(server);
  if (client && options.has('stop-runs')) {
    server.startNoRuns();
    const { whole, kill } = endRuns(client, log);
    again = () => {
      again = endAtOnce;
      log.warn('killing the runs that are left');
      kill();
    };
    await whole;
    again = endAtOnce;
  } else if (client) await nameRunning(client, log);
  await server.stop();
  log.info('stopped');
  endProcess(isLost ? exitCodes.refused : exitCodes.done);
}

/**
 * Without these files, a second server could start beside this one, and both would start the pending runs. So this
 * server ends.
 */
const lostCause = 'someone removed flwd.lock and flwd.sock, and this server could not restore them; this server ends';

/** Node reaps only its own children, and not the processes that sandboxes leave to process 1. */
const zombieWords =
  'each run leaves a zombie process: start flwd under an init, with `docker run --init` or `tini -- flwd serve`';

/** How long a command may take to give up the data dir after it was asked to. */
const commandMs = 10_000;
const againMs = 100;

async function onceFree<T>(
  start: () => Promise<T>,
  o: { readonly dataDir: string; readonly log: Logger; readonly stopAsked: Promise<unknown> },
): Promise<T> {
  let isStopAsked = false;
  void o.stopAsked.then(() => {
    isStopAsked = true;
  });
  let deadlineMs = systemClock.monotonicMs() + commandMs;
  let command: number | undefined;
  for (let isTold = false; ; await delay(againMs)) {
    try {
      return await start();
    } catch (error) {
      // If the error names no owner, another process is just starting or ending, and its name will be known in a
      // moment.
      if (!(error instanceof DataDirOwned) || (error.owner && !error.owner.isEphemeral)) throw error;
      if (isStopAsked) process.exit(exitCodes.done);
      // A command takes time to start, and to give up the data dir. If several commands follow each other, the deadline
      // starts again for each of them.
      if (error.owner && (error.owner.pid !== command || !error.owner.url))
        deadlineMs = systemClock.monotonicMs() + commandMs;
      command = error.owner?.pid ?? command;
      if (systemClock.monotonicMs() > deadlineMs) throw error;
      if (error.owner?.isEphemeral) await askToYield(o.dataDir);
      if (!isTold && error.owner) {
        isTold = true;
        o.log.info(`waiting until a flwd command (process ${error.owner.pid}) no longer uses the data dir`);
      }
    }
  }
}

/** Turns an error that an operator can fix into a Refusal. Every other error is a bug and stays as it is. */
function explained(error: unknown, bind: string): unknown {
  const code = errorCode(error) ?? '';
  if (!(error instanceof Error && 'syscall' in error && error.syscall === 'listen')) return error;
  if (code === 'EADDRINUSE') {
    return new Refusal(
      `${bind} is in use: stop the program that listens there, or choose another address with --bind`,
      exitCodes.refused,
    );
  }
  const reason = unusableBinds[code];
  return reason ? new Refusal(`cannot listen on ${bind}: ${reason}; choose another address with --bind`) : error;
}

const unusableBinds: Record<string, string> = {
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)',
};
