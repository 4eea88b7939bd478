// What no single key can tell: rules between keys, and values that would be unsafe.

import { isIP } from 'node:net';
import { isLoopback } from '../lib/loopback.ts';
import { checkJwt } from './jwt.ts';
import { securityProfiles } from './keys.ts';
import type { Bind } from './kind.ts';
import { checkListening } from './listening.ts';
import { addError, type Settings, settingAt, valueAt } from './settings.ts';

export function checkSettings(settings: Settings): void {
  checkProfiles(settings);
  checkAliases(settings);
  checkSecretKey(settings);
  checkJwt(settings);
  checkListening(settings);
}

export function showBind({ host, port }: Bind): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** `--dev` gives everybody the same token. */
export function checkDev(settings: Settings): void {
  const bind = valueAt(settings, 'server.bind');
  if (isLoopback(bind.host)) return;
  const message = `${showBind(bind)} can be reached from other machines, and --dev is for loopback alone`;
  addError(settings, 'server.bind', undefined, message);
}

function checkProfiles(settings: Settings): void {
  const allowed = valueAt(settings, 'security.allow_profiles');
  const chosen = valueAt(settings, 'security.default_profile');
  if (!allowed.includes(chosen)) {
    addError(settings, 'security.default_profile', undefined, `\`${chosen}\` is not among \`security.allow_profiles\``);
  }
  for (const profile of securityProfiles) {
    const passthrough = valueAt(settings, 'security.profiles.<profile>.env_passthrough', profile);
    if (profile !== 'permissive' && passthrough.length > 0) {
      const why = profile === 'secure' ? 'always has a clean environment' : 'has the server’s environment anyway';
      addError(settings, 'security.profiles.<profile>.env_passthrough', profile, `\`${profile}\` ${why}`);
    }
    const window = settingAt(settings, 'security.profiles.<profile>.rate_limit.window', profile);
    const limit = valueAt(settings, 'security.profiles.<profile>.rate_limit.limit', profile);
    if (window?.origin.kind !== 'default' && limit === null) {
      addError(settings, 'security.profiles.<profile>.rate_limit.window', profile, '`window` needs `limit` beside it');
    }
  }
}

function checkAliases(settings: Settings): void {
  const taken = new Set<string>();
  for (const { at } of settings.items.get('aliases') ?? []) {
    const name = valueAt(settings, 'aliases[].to', at);
    if (taken.has(name)) addError(settings, 'aliases[].to', at, `another alias is called \`${name}\` too`);
    taken.add(name);
  }
}

/** Jobs of the profile permissive can read flwd.yaml. */
function checkSecretKey(settings: Settings): void {
  if (settingAt(settings, 'persistence.secret_key')?.origin.kind !== 'file') return;
  const message =
    '`persistence.secret_key` is no place for a key, jobs may read this file: set the variable FLWD_SECRET_KEY';
  addError(settings, 'persistence.secret_key', undefined, message);
}
