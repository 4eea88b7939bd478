// What was found out about the host that flwd runs on: one fact each, without a path of the host in it.

export type HostCheck = {
  readonly name: string;
  /** `fail`: jobs cannot run as configured. `warn`: something works less well, or not at all. */
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to install or to set; null where there is nothing to do. */
  readonly cure: string | null;
};

export function ok(name: string, detail: string): HostCheck {
  return { name, status: 'ok', detail, cure: null };
}

export function warn(name: string, detail: string, cure: string | null): HostCheck {
  return { name, status: 'warn', detail, cure };
}

export function fail(name: string, detail: string, cure: string | null): HostCheck {
  return { name, status: 'fail', detail, cure };
}
