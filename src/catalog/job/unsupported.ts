// Keys of config.yaml that are understood but not acted on yet: a job with one is listed, and its use is refused by name.

import type { UlcProfile } from '../../domain/job.ts';
import type { RawConfig } from './config-schema.ts';

export function findUnsupported(config: RawConfig, ulcProfiles: readonly UlcProfile[]): string[] {
  const found: Readonly<Record<string, boolean>> = {
    'executor: container': config.executor === 'container',
    'ulc_profile: ulc.shell.pwsh': ulcProfiles.includes('ulc.shell.pwsh'),
    'artifacts.default_key_pattern': config.artifacts?.default_key_pattern !== undefined,
  };
  return Object.keys(found).filter((key) => found[key]);
}
