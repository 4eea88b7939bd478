// Probes what the host can enforce. Each probe is a process of its own, so a server starts the probes before it loads
// the rest of its code.

import type { Config } from './config/config.ts';
import type { HostCheck } from './domain/host-check.ts';
import type { Capabilities } from './exec/executor.ts';
import { probeHost } from './exec/host/host.ts';
import { checkHost } from './exec/host/host-checks.ts';

export type HostProbe = {
  readonly capabilities: Promise<Capabilities>;
  /** Checks the host when somebody asks for the first time, and only then. Most servers are never asked. */
  readonly checks: () => Promise<readonly HostCheck[]>;
};

export function startHostProbe({ security, auth }: Config): HostProbe {
  const capabilities = probeHost();
  // A probe may fail before anybody awaits it. Its error is then thrown to everybody who awaits it later.
  capabilities.catch(() => undefined);
  let checks: Promise<readonly HostCheck[]> | undefined;
  return { capabilities, checks: () => (checks ??= checkHost(capabilities, security, auth)) };
}
