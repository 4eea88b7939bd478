// `flwd serve`: a server from its first line to its last signal.

import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { showBind } from '../config/checks.ts';
import { errorCode } from '../lib/error-code.ts';
import { createLogger } from '../lib/logger.ts';
import { isLoopback } from '../lib/loopback.ts';
import { packageVersion } from '../lib/version.ts';
import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes, Refusal } from './exit-code.ts';

import { stopSignal } from './stop-signal.ts';

export async function run(options: Options): Promise<ExitCode> {
  const { config, file, warnings } = loadConfiguration(options);
  const stopAsked = stopSignal();
  const log = createLogger(config.logging);
  for (const warning of warnings) log.warn(warning);
  if (config.auth.isDev)
    log.warn('--dev: whoever has the token dev-token, any process on this machine, may do everything');
  if (config.auth.mode === 'none') log.warn('auth.mode is none: whoever reaches the server may do everything');
  const server = await startSmall(async () => {
    const { serve } = await import('../main.ts');
    return serve(config, file && resolve(file));
  }).catch((error: unknown) => {
    throw explained(error, showBind(config.server.bind));
  });
  const { bind, tls } = config.server;
  const isOpen = !isLoopback(bind.host);
  if (isOpen && !tls) log.warn('the server is reached from other machines without TLS: tokens travel in clear');
  const reach = isOpen ? ` (${showBind(bind)}, reachable from other machines)` : '';
  process.stdout.write(`flwd ${packageVersion()} listening on ${server.url}${reach}\n`);
  const started = { config: file, data_dir: config.instance.dataDir, bind: showBind(bind), auth: config.auth.mode };
  log.info(started, 'started');
  log.info({ signal: await stopAsked }, 'stopping; running jobs go on and are taken up again at the next start');
  await server.stop();
  process.exit(exitCodes.done);
}

/**
 * Loading the modules is a burst of garbage. V8 would grow the young generation to its largest for it, 20 MB that an idle
 * server never gives back; so it grows by what the server does later.
 */
async function startSmall<T>(start: () => Promise<T>): Promise<T> {
  setFlagsFromString('--semi-space-growth-factor=1');
  try {
    return await start();
  } finally {
    setFlagsFromString('--semi-space-growth-factor=2');
  }
}

/** What an operator can mend becomes a Refusal; everything else is a bug and stays what it is. */
function explained(error: unknown, bind: string): unknown {
  const code = errorCode(error) ?? '';
  if (!(error instanceof Error && 'syscall' in error && error.syscall === 'listen')) return error;
  if (code === 'EADDRINUSE') {
    return new Refusal(`${bind} is taken: stop what listens there, or choose another (--bind)`, exitCodes.refused);
  }
  const reason = unusableBinds[code];
  return reason ? new Refusal(`${bind} cannot be used: ${reason}; choose another (--bind)`) : error;
}

const unusableBinds: Record<string, string> = {
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'a port below 1024 needs a privilege',
};
