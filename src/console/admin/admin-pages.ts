// The sub-pages of Admin, and the scope that each one needs.

import {
  BellRing,
  Database,
  FileClock,
  FolderGit2,
  HardDrive,
  Info,
  KeyRound,
  type LucideIcon,
  Stethoscope,
  Ticket,
  Webhook,
  Workflow,
} from 'lucide-react';
import type { Scope } from '../../domain/principal.ts';

export type AdminPlace = {
  readonly path: string;
  readonly name: string;
  readonly icon: LucideIcon;
  readonly scope: Scope;
};

export const adminPlaces: readonly AdminPlace[] = [
  { path: 'sources', name: 'Sources', icon: FolderGit2, scope: 'sources:read' },
  { path: 'webhooks', name: 'Webhooks', icon: Webhook, scope: 'jobs:read' },
  { path: 'triggers', name: 'Triggers', icon: Workflow, scope: 'jobs:read' },
  { path: 'channels', name: 'Channels', icon: BellRing, scope: 'jobs:read' },
  { path: 'tokens', name: 'Tokens', icon: Ticket, scope: 'admin' },
  { path: 'secrets', name: 'Secrets', icon: KeyRound, scope: 'secrets:write' },
  { path: 'values', name: 'Key-value store', icon: Database, scope: 'kv:read' },
  { path: 'audit', name: 'Audit', icon: FileClock, scope: 'audit:read' },
  { path: 'storage', name: 'Storage', icon: HardDrive, scope: 'metrics:read' },
  { path: 'doctor', name: 'Doctor', icon: Stethoscope, scope: 'jobs:read' },
  { path: 'instance', name: 'Instance', icon: Info, scope: 'jobs:read' },
];

export function adminPath(path: string): string {
  return `/admin/${path}`;
}
