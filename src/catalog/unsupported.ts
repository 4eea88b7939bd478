// Keys of config.yaml that are understood but not acted on yet: a job with one is listed, and its use is refused by name.

import type { UlcProfile } from '../domain/job.ts';
import { hasSteps } from './config-rules.ts';
import type { RawConfig } from './config-schema.ts';

export function findUnsupported(config: RawConfig, ulcProfile: UlcProfile, secretArgs: readonly string[]): string[] {
  const found: Readonly<Record<string, boolean>> = {
    'executor: container': config.executor === 'container',
    'composition: steps': hasSteps(config),
    'ulc_profile: ulc.shell.pwsh': ulcProfile === 'ulc.shell.pwsh',
    schedules: (config.schedules ?? []).length > 0,
    notify: config.notify !== undefined,
    retry: (config.retry?.limit ?? 0) > 0,
    concurrency: config.concurrency !== undefined,
    'on_lost: retry': config.on_lost === 'retry',
    'artifacts.default_key_pattern': config.artifacts?.default_key_pattern !== undefined,
  };
  const stored = Object.entries(config.env ?? {})
    .filter(([, value]) => typeof value !== 'string' && !secretArgs.includes(value.secret))
    .map(([name]) => `env.${name}.secret`);
  return [...Object.keys(found).filter((key) => found[key]), ...stored];
}
