// Rules between keys, and values that are valid but unsafe or without effect.

import { isIP } from 'node:net';
import { isHttpUrl } from '../lib/http/http-url.ts';
import { isLoopback } from '../lib/loopback.ts';
import { checkJwt } from './jwt.ts';
import { extensionsWithoutEffect, securityProfiles } from './keys.ts';
import type { Bind } from './kind.ts';
import { checkNotify } from './notify.ts';
import { checkHeaders } from './request-headers.ts';
import { addError, placeOf, type Settings, settingAt, valueAt } from './settings.ts';

export function checkSettings(settings: Settings): void {
  checkProfiles(settings);
  checkAliases(settings);
  checkSecretKey(settings);
  checkJwt(settings);
  checkTls(settings);
  checkQuotas(settings);
  checkLogFields(settings);
  checkNotify(settings);
  checkTelemetry(settings);
}

export function showBind({ host, port }: Bind): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/**
 * Records an error if other machines can reach a server with `--dev`, because `--dev` accepts a token that everyone
 * knows.
 */
export function checkDev(settings: Settings): void {
  const bind = valueAt(settings, 'server.bind');
  if (isLoopback(bind.host)) return;
  const message = `${showBind(bind)} can be reached from other machines, but --dev is only for loopback`;
  addError(settings, 'server.bind', message);
}

function checkProfiles(settings: Settings): void {
  const allowed = valueAt(settings, 'security.allow_profiles');
  const chosen = valueAt(settings, 'security.default_profile');
  if (!allowed.includes(chosen))
    addError(settings, 'security.default_profile', `\`${chosen}\` is not among \`security.allow_profiles\``);
  for (const profile of securityProfiles) {
    const passthrough = valueAt(settings, 'security.profiles.<profile>.env_passthrough', profile);
    if (profile !== 'permissive' && passthrough.length > 0) {
      const why = profile === 'secure' ? 'always has a clean environment' : 'has the server’s environment anyway';
      addError(settings, 'security.profiles.<profile>.env_passthrough', `\`${profile}\` ${why}`, profile);
    }
    const window = settingAt(settings, 'security.profiles.<profile>.rate_limit.window', profile);
    const limit = valueAt(settings, 'security.profiles.<profile>.rate_limit.limit', profile);
    if (window?.origin.kind !== 'default' && limit === null)
      addError(settings, 'security.profiles.<profile>.rate_limit.window', '`window` also needs `limit`', profile);
  }
}

function checkAliases(settings: Settings): void {
  const taken = new Set<string>();
  for (const { at } of settings.items.get('aliases') ?? []) {
    const name = valueAt(settings, 'aliases[].to', at);
    if (taken.has(name)) addError(settings, 'aliases[].to', `another alias has the name \`${name}\``, at);
    taken.add(name);
  }
}

/**
 * Records an error if flwd.yaml contains the secret key. Jobs in the profile `disabled` can read flwd.yaml, but never
 * FLWD_SECRET_KEY.
 */
function checkSecretKey(settings: Settings): void {
  if (settingAt(settings, 'persistence.secret_key')?.origin.kind !== 'file') return;
  const message =
    '`persistence.secret_key` must not be in this file, which jobs in the profile `disabled` can read: ' +
    'set FLWD_SECRET_KEY instead';
  addError(settings, 'persistence.secret_key', message);
}

function checkTls(settings: Settings): void {
  const [cert, key] = ['server.tls.cert_file', 'server.tls.key_file'] as const;
  const enabled = valueAt(settings, 'server.tls.enabled');
  if (enabled === true && valueAt(settings, cert) === null)
    addError(settings, 'server.tls.enabled', `\`server.tls.enabled\` also needs \`${cert}\``);
  for (const [path, other] of [
    [cert, key],
    [key, cert],
  ] as const)
    if (valueAt(settings, path) !== null && valueAt(settings, other) === null)
      addError(settings, path, `\`${path}\` also needs \`${other}\``);
}

function checkQuotas(settings: Settings): void {
  const soft = valueAt(settings, 'persistence.artifacts.quota_soft');
  if (soft !== null && soft > valueAt(settings, 'persistence.artifacts.quota_hard'))
    addError(settings, 'persistence.artifacts.quota_soft', '`quota_soft` must not be more than `quota_hard`');
}

function checkTelemetry(settings: Settings): void {
  const endpoint = valueAt(settings, 'telemetry.otlp.endpoint');
  if (endpoint !== null && !isHttpUrl(endpoint))
    addError(
      settings,
      'telemetry.otlp.endpoint',
      '`telemetry.otlp.endpoint` must be an http or https URL without a user and password: send these in a header',
    );
  checkHeaders(settings, 'telemetry.otlp.headers');
}

/** The members that flwd itself writes to each line of the log. */
const ownFields = ['level', 'time', 'msg'];

function checkLogFields(settings: Settings): void {
  for (const name of Object.keys(valueAt(settings, 'logging.fields')).filter((name) => ownFields.includes(name)))
    addError(settings, 'logging.fields', `\`logging.fields\` must not set \`${name}\`, which each line has anyway`);
}

/** Returns a note for each enabled extension that changes nothing. */
export function noteExtensions(settings: Settings): string[] {
  const setting = settingAt(settings, 'extensions.enabled');
  if (!setting || setting.value === undefined) return [];
  const named: readonly string[] = valueAt(settings, 'extensions.enabled');
  return extensionsWithoutEffect
    .filter((name) => named.includes(name))
    .map((name) => `${placeOf(setting.origin)}: the extension \`${name}\` is accepted but has no effect`);
}
