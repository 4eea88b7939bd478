// Probes what the host can enforce. The probes are processes of their own, so a server starts them before it loads the
// rest of its code.

import type { Config } from './config/config.ts';
import type { HostCheck } from './domain/host-check.ts';
import type { Capabilities } from './exec/executor.ts';
import { probeHost } from './exec/host/host.ts';
import { checkHost } from './exec/host/host-checks.ts';

export type HostProbe = {
  readonly capabilities: Promise<Capabilities>;
  /** Checks once, when somebody asks for the first time: most servers are never asked. */
  readonly checks: () => Promise<readonly HostCheck[]>;
};

export function startHostProbe({ security, auth }: Config): HostProbe {
  const capabilities = probeHost();
  // A probe may fail before anybody awaits it. The error then waits until somebody does.
  capabilities.catch(() => undefined);
  let checks: Promise<readonly HostCheck[]> | undefined;
  return { capabilities, checks: () => (checks ??= checkHost(capabilities, security, auth)) };
}
