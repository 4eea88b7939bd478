// Probes the host: what can it enforce? The probes are processes of their own, so a server starts them before it loads
// the rest of its code.

import type { Config } from './config/config.ts';
import type { HostCheck } from './domain/host-check.ts';
import type { Capabilities } from './exec/executor.ts';
import { probeHost } from './exec/host/host.ts';
import { checkHost } from './exec/host/host-checks.ts';

export type HostProbe = { readonly capabilities: Promise<Capabilities>; readonly checks: Promise<HostCheck[]> };

export function startHostProbe({ security, auth }: Config): HostProbe {
  const capabilities = probeHost();
  const checks = checkHost(capabilities, security, auth);
  // A probe may fail before anybody awaits it. The error then waits for them.
  checks.catch(() => undefined);
  return { capabilities, checks };
}
